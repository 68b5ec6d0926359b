// A metric over two parameters: the mean of the trials around every place.

import { useMemo } from 'preact/hooks'
import { choices, mask, store } from './state'
import { cut, number, plural, title } from './format'
import { ColumnChoice, Figure, Lazy } from './figure'
import { frame, margin, type Frame } from './cloud'
import { colouring, Ramp, tint, type Colouring } from './colouring'
import { Plot } from './plot'
import { axis, chosen, kinds, levels, metrics, parameters, scaled } from './rows'
import { clamp, quantile, scale } from './scale'
import { drawDots } from './slices'
import { bright, colour, css, painted, rgb, type RGB } from './theme'
import type { Loaded } from './data'

interface Grid {
  nx: number
  ny: number
  mean: Float64Array // NaN where nothing is known
  weight: Float64Array // trials around the place
  front: Uint32Array // designs of the front at the place
  by: Colouring
  back: (v: number) => number // from a mean to a value
  lines: { x: number; text: string }[] // values at which a line is drawn
  to: (v: number) => number // and back
}

// blur spreads sums along lines of n cells by a Gaussian of a width in cells.
function blur(v: Float64Array, n: number, step: number, lines: number, across: number, sigma: number): Float64Array {
  const reach = Math.ceil(3 * sigma)
  const out = new Float64Array(v.length)
  for (let l = 0; l < lines; l++) {
    for (let i = 0; i < n; i++) {
      for (let k = Math.max(i - reach, 0); k <= Math.min(i + reach, n - 1); k++) {
        out[l * across + i * step] += Math.exp(-((k - i) ** 2) / (2 * sigma * sigma)) * v[l * across + k * step]
      }
    }
  }
  return out
}

function grid(x: Loaded, y: Loaded, z: Loaded): Grid {
  const nx = levels(x.meta)?.length ?? 44
  const ny = levels(y.meta)?.length ?? 32
  const [xs, ys] = [axis(x, 0, nx), axis(y, ny, 0)]
  // place is the cell of a row, or NaN.
  const place = (r: number) => {
    const [i, j] = [Math.floor(xs(x.x[r])), Math.floor(ys(y.x[r]))]
    return i >= 0 && j >= 0 && i < nx && j < ny ? j * nx + i : NaN
  }
  // Values that span decades are averaged as logarithms.
  const log = z.meta.log && z.meta.min! > 0
  let mean: Float64Array = new Float64Array(nx * ny)
  let weight: Float64Array = new Float64Array(nx * ny)
  let n = 0
  for (let r = 0; r < x.x.length; r++) {
    const k = place(r)
    const v = z.x[r]
    if (!(k >= 0 && Number.isFinite(v))) continue
    mean[k] += log ? Math.log(v) : v
    weight[k]++
    n++
  }
  // Wide enough for some seventy trials under the kernel of an even spread.
  const sigma = clamp(Math.sqrt((6 * nx * ny) / Math.max(n, 1)), 1.4, 5)
  if (!xs.step) [mean, weight] = [mean, weight].map((v) => blur(v, nx, 1, ny, nx, sigma))
  if (!ys.step) [mean, weight] = [mean, weight].map((v) => blur(v, ny, nx, nx, 1, sigma))
  mean = mean.map((v, k) => (weight[k] < 0.35 ? NaN : v / weight[k]))
  const known = mean.filter((_, k) => weight[k] >= 1).sort()
  const ends = [quantile(known, 0.02), quantile(known, 0.98)]
  const front = new Uint32Array(nx * ny)
  for (const r of store.view.front.rows) front[place(r)]++
  const [to, back] = log ? [Math.log, Math.exp] : [Number, Number]
  const [low, high] = ends.map(back)
  const lines = xs.step || ys.step ? [] : scale(low, high, 0, 1, log).ticks(7)
  return { nx, ny, mean, weight, front, to, back, lines, by: colouring(z, [low, high]) }
}

// isoline goes along the places where the field has a value: marching squares.
function isoline(g: CanvasRenderingContext2D, { nx, ny, mean }: Grid, level: number, at: (i: number, j: number) => [number, number]): void {
  for (let j = 0; j + 1 < ny; j++) {
    for (let i = 0; i + 1 < nx; i++) {
      const k = j * nx + i
      const corner = [mean[k], mean[k + 1], mean[k + nx + 1], mean[k + nx]]
      let to: 'moveTo' | 'lineTo' = 'moveTo'
      for (let e = 0; e < 4; e++) {
        const [a, b] = [corner[e], corner[(e + 1) % 4]]
        if (a < level === b < level || Number.isNaN(a + b)) continue
        const t = (level - a) / (b - a)
        g[to](...at(i + [t, 1, 1 - t, 0][e], j + [0, t, 1, 1 - t][e]))
        to = to === 'moveTo' ? 'lineTo' : 'moveTo'
      }
    }
  }
}

// opacity of a place by the trials around it.
const opacity = (weight: number) => Math.min(weight / 2, 1)

function Drawn({ x, y, z, width }: { x: Loaded; y: Loaded; z: Loaded; width: number }) {
  const field = useMemo(() => grid(x, y, z), [x, y, z])
  const model = useMemo(() => {
    const height = clamp(width * 0.7, 260, 440)
    const f = frame(width, height, margin(axis(y, height - 44, 30), { width, height }))
    const [xs, ys] = [axis(x, f.left, f.right), axis(y, f.bottom, f.top)]
    const dots = drawDots(x, y, xs, ys, f, '--ink')
    const { nx, ny, mean, weight, by, back } = field
    const [w, h] = [(f.right - f.left) / nx, (f.bottom - f.top) / ny]
    const [gx, gy] = [xs, ys].map((s) => (s.step ? 1 : 0))
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      // Cells of values stand apart; others are one picture, enlarged.
      const small = gx || gy ? undefined : new OffscreenCanvas(nx, ny)
      const to = small?.getContext('2d') ?? g
      g.globalAlpha = m.all || (gx && gy) ? 1 : 0.45
      for (let k = 0; k < mean.length; k++) {
        if (Number.isNaN(mean[k])) continue
        const [i, j] = [k % nx, Math.floor(k / nx)]
        to.fillStyle = css(tint(by, back(mean[k])), opacity(weight[k]))
        if (small) to.fillRect(i, j, 1, 1)
        else to.fillRect(f.left + i * w + gx, f.top + j * h + gy, w - 2 * gx + 0.4 * (1 - gx), h - 2 * gy + 0.4 * (1 - gy))
      }
      if (small) {
        g.imageSmoothingQuality = 'high'
        g.drawImage(small, f.left, f.top, f.right - f.left, f.bottom - f.top)
        g.strokeStyle = colour('--ink')
        g.globalAlpha *= 0.35
        g.beginPath()
        for (const { x } of field.lines) isoline(g, field, field.to(x), (i, j) => [f.left + (i + 0.5) * w, f.top + (j + 0.5) * h])
        g.stroke()
      }
      g.globalAlpha = 1
      if (!(gx && gy) && (!m.all || dots.cloud.shown < 5000)) dots.draw(g)
    }
    return { f, xs, ys, w, h, tiles: gx && gy, ...dots, draw }
  }, [field, width, kinds()])
  return (
    <>
      <Plot
        frame={model.f}
        x={model.xs}
        y={model.ys}
        xTitle={title(x.meta)}
        yTitle={title(y.meta)}
        label={`${title(z.meta)} over ${title(x.meta)} and ${title(y.meta)}`}
        draw={model.draw}
        find={model.find}
        cloud={model.cloud}
        cx={x.id}
        cy={y.id}
        tip={[z.id, x.id, y.id]}
        grid={false}
      >
        {model.tiles && <Means {...model} field={field} />}
      </Plot>
      <Ramp of={field.by} />
      <p class="note">
        Mean of the trials {model.tiles ? 'with both values; ★ on the front' : 'around a place, paler where they are few'}.
        {field.lines.length > 0 && ` Lines at ${field.lines.map((l) => l.text).join(', ')}.`}
      </p>
    </>
  )
}

function Means({ field, f, w, h }: { field: Grid; f: Frame; w: number; h: number }) {
  void painted.value
  const { nx, mean, weight, front, by, back } = field
  if (w < 46 || h < 20) return null
  const ground = rgb('--ground')
  return (
    <>
      {Array.from(mean, (v, k) => {
        const [px, py] = [f.left + ((k % nx) + 0.5) * w, f.top + (Math.floor(k / nx) + 0.5) * h]
        const a = opacity(weight[k])
        const shade = tint(by, back(v)).map((c, i) => c * a + ground[i] * (1 - a)) as RGB
        return (
          v === v && (
            <text class={bright(shade) ? 'dark' : 'light'} x={px} y={py} dy={h < 36 ? '0.32em' : '-0.1em'} text-anchor="middle">
              {number(Number(back(v).toPrecision(3)))}
              {h >= 36 && (
                <tspan x={px} dy="1.3em">
                  {w < 80 ? number(weight[k]) : plural(weight[k], 'trial')}
                  {front[k] > 0 && ` · ${number(front[k])} ★`}
                </tspan>
              )}
            </text>
          )
        )
      })}
    </>
  )
}

export function Contour() {
  const zs = metrics()
  const { columns } = store.view
  const z = chosen(choices.value['contour.z'], zs, zs[0])
  const ids = parameters(columns[z]?.name)
  const x = chosen(choices.value['contour.x'], ids, ids[0])
  let y = chosen(choices.value['contour.y'], ids)
  if (y < 0 || y === x) y = ids.find((id) => id !== x) ?? -1
  const absent = y < 0 ? 'This takes two parameters.' : columns[z]?.min === undefined && 'Nothing was measured.'
  const loaded = !absent && kinds() && store.all([x, y, z])?.map(scaled)
  return (
    <Figure
      id="contour"
      title={columns[z] ? `${cut(title(columns[z]), 50)} over two parameters` : 'Two parameters together'}
      absent={absent}
      tools={
        <>
          <ColumnChoice label="x" of="contour.x" id={x} ids={ids} />
          <ColumnChoice label="y" of="contour.y" id={y} ids={ids} />
          <ColumnChoice label="colour" of="contour.z" id={z} ids={zs} />
        </>
      }
    >
      <Lazy height={420}>{(width) => loaded && <Drawn x={loaded[0]} y={loaded[1]} z={loaded[2]} width={width} />}</Lazy>
    </Figure>
  )
}
