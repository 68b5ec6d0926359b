// A metric over two parameters: the mean of the trials around every place.

import { useCallback, useMemo } from 'preact/hooks'
import { choices, choose, mask, store } from './state'
import { cut, number, plural, title } from './format'
import { ColumnChoice, Figure } from './figure'
import { axis, bright, chosen, Lazy, levels, metrics, parameters, Plot, useDots, type Axis } from './kit'
import { colouring, Key, share, type Colouring } from './colouring'
import type { Frame } from './scatter'
import { linear, logarithmic } from './scale'
import { css, painted, ramp, rgb } from './theme'
import type { RGB } from './points'
import type { Loaded } from './data'

interface Grid {
  nx: number
  ny: number
  mean: Float64Array // NaN where nothing is known
  weight: Float64Array // trials around the place
  low: number
  high: number
  back: (v: number) => number // from a mean to a value
}

// blur spreads sums along one axis by a Gaussian of a width in cells.
function blur(v: Float64Array, n: number, step: number, lines: number, across: number, sigma: number): Float64Array {
  const reach = Math.ceil(3 * sigma)
  const kernel = Array.from({ length: reach + 1 }, (_, d) => Math.exp((-d * d) / (2 * sigma * sigma)))
  const out = new Float64Array(v.length)
  for (let l = 0; l < lines; l++) {
    for (let i = 0; i < n; i++) {
      let sum = 0
      for (let k = Math.max(i - reach, 0); k <= Math.min(i + reach, n - 1); k++) sum += kernel[Math.abs(k - i)] * v[l * across + k * step]
      out[l * across + i * step] = sum
    }
  }
  return out
}

function grid(x: Loaded, y: Loaded, z: Loaded): Grid {
  const size = (c: Loaded, most: number) => axis(c, 0, 1).levels?.length ?? most
  const nx = size(x, 44)
  const ny = size(y, 32)
  const xs = axis(x, 0, nx)
  const ys = axis(y, ny, 0)
  // Values that span decades are averaged as logarithms.
  const log = z.meta.log && z.meta.min! > 0
  let mean: Float64Array = new Float64Array(nx * ny)
  let weight: Float64Array = new Float64Array(nx * ny)
  let n = 0
  for (let r = 0; r < x.x.length; r++) {
    const i = Math.floor(xs(x.x[r]))
    const j = Math.floor(ys(y.x[r]))
    const v = z.x[r]
    if (!(i >= 0 && j >= 0 && i < nx && j < ny && Number.isFinite(v))) continue
    mean[j * nx + i] += log ? Math.log(v) : v
    weight[j * nx + i]++
    n++
  }
  // Wide enough for some seventy trials under the kernel of an even spread.
  const sigma = Math.min(Math.max(Math.sqrt((6 * nx * ny) / Math.max(n, 1)), 1.4), 5)
  if (!xs.levels) [mean, weight] = [mean, weight].map((v) => blur(v, nx, 1, ny, nx, sigma))
  if (!ys.levels) [mean, weight] = [mean, weight].map((v) => blur(v, ny, nx, nx, 1, sigma))
  const known: number[] = []
  for (let k = 0; k < mean.length; k++) {
    mean[k] = weight[k] < 0.35 ? NaN : mean[k] / weight[k]
    if (weight[k] >= 1) known.push(mean[k])
  }
  known.sort((a, b) => a - b)
  const q = (p: number) => known[Math.round(p * (known.length - 1))] ?? 0
  return { nx, ny, mean, weight, low: q(0.02), high: q(0.98), back: log ? Math.exp : (v) => v }
}

// lines are the places where the field has a value: marching squares.
function lines(g: Grid, level: number): [number, number, number, number][] {
  const out: [number, number, number, number][] = []
  const { nx, ny, mean } = g
  for (let j = 0; j + 1 < ny; j++) {
    for (let i = 0; i + 1 < nx; i++) {
      const k = j * nx + i
      const corner = [mean[k], mean[k + 1], mean[k + nx + 1], mean[k + nx]]
      const cut: [number, number][] = []
      for (let e = 0; e < 4; e++) {
        const a = corner[e]
        const b = corner[(e + 1) % 4]
        if (!(a < level !== b < level) || Number.isNaN(a + b)) continue
        const t = (level - a) / (b - a)
        cut.push([i + 0.5 + [t, 1, 1 - t, 0][e], j + 0.5 + [0, t, 1, 1 - t][e]])
      }
      for (let c = 0; c + 1 < cut.length; c += 2) out.push([...cut[c], ...cut[c + 1]])
    }
  }
  return out
}

function Drawn({ x, y, z, width, field, by }: { x: Loaded; y: Loaded; z: Loaded; width: number; field: Grid; by: Colouring }) {
  const height = Math.min(Math.max(width * 0.7, 260), 440)
  const left = Math.min(
    Math.max(
      ...axis(y, 0, 1)
        .ticks(8)
        .map((t) => t.text.length),
      4,
    ) *
      6.6 +
      14,
    width / 3,
  )
  const frame: Frame = { width, height, left, top: 26, right: width - 14, bottom: height - 42 }
  const xs = useMemo(() => axis(x, frame.left, frame.right), [x, frame.right])
  const ys = useMemo(() => axis(y, frame.bottom, frame.top), [y, frame.bottom])
  const dots = useDots(x, y, xs, ys, frame)
  const tiles = xs.levels && ys.levels
  const draw = useCallback(
    (g: CanvasRenderingContext2D) => {
      const m = mask.value
      g.globalAlpha = m.all || tiles ? 1 : 0.45
      paintField(g, field, frame, xs, ys, by)
      g.globalAlpha = 1
      if (!tiles) dots.over(g)
    },
    [field, dots],
  )
  return (
    <Plot
      frame={frame}
      x={xs}
      y={ys}
      xTitle={title(x.meta)}
      yTitle={title(y.meta)}
      label={`${title(z.meta)} over ${title(x.meta)} and ${title(y.meta)}`}
      draw={draw}
      find={dots.find}
      cloud={dots.cloud}
      cx={x.id}
      cy={y.id}
      tip={[z.id, x.id, y.id]}
      grid={false}
    >
      {tiles ? <Means field={field} box={frame} by={by} x={x} y={y} /> : !xs.levels && !ys.levels && <Isolines field={field} box={frame} z={z} />}
    </Plot>
  )
}

// opacity of a place by the trials around it.
const opacity = (weight: number) => Math.min(weight / 2, 1)

function paintField(g: CanvasRenderingContext2D, f: Grid, box: Frame, xs: Axis, ys: Axis, by: Colouring): void {
  const smooth = !xs.levels && !ys.levels
  const w = box.right - box.left
  const h = box.bottom - box.top
  const tile = smooth ? new OffscreenCanvas(f.nx, f.ny) : undefined
  const small = tile?.getContext('2d')
  for (let j = 0; j < f.ny; j++) {
    for (let i = 0; i < f.nx; i++) {
      const k = j * f.nx + i
      if (Number.isNaN(f.mean[k])) continue
      const to = small ?? g
      to.fillStyle = css(ramp(share(by, f.back(f.mean[k]))), opacity(f.weight[k]))
      if (small) small.fillRect(i, j, 1, 1)
      else {
        const gapX = xs.levels ? 1 : 0
        const gapY = ys.levels ? 1 : 0
        const [x0, x1] = [box.left + (i * w) / f.nx, box.left + ((i + 1) * w) / f.nx]
        const [y0, y1] = [box.top + (j * h) / f.ny, box.top + ((j + 1) * h) / f.ny]
        g.fillRect(x0 + gapX, y0 + gapY, x1 - x0 - 2 * gapX + (gapX ? 0 : 0.5), y1 - y0 - 2 * gapY + (gapY ? 0 : 0.5))
      }
    }
  }
  if (tile) {
    g.imageSmoothingEnabled = true
    g.imageSmoothingQuality = 'high'
    g.drawImage(tile, box.left, box.top, w, h)
  }
}

function Isolines({ field, box, z }: { field: Grid; box: Frame; z: Loaded }) {
  const drawn = useMemo(() => {
    const { low, high, back } = field
    const s = (back === Math.exp ? logarithmic : linear)(back(low), back(high), 0, 1)
    const kx = (box.right - box.left) / field.nx
    const ky = (box.bottom - box.top) / field.ny
    const labels: [number, number][] = []
    return s.ticks(6).map(({ x, text }) => {
      const parts = lines(field, back === Math.exp ? Math.log(x) : x).map(([a, b, c, d]) => [
        box.left + a * kx,
        box.top + b * ky,
        box.left + c * kx,
        box.top + d * ky,
      ])
      // The label stands where it is farthest from the others and the edges.
      let best: [number, number] | undefined
      let room = 24
      for (const [a, b] of parts) {
        const d = Math.min(
          a - box.left,
          box.right - a,
          2 * (b - box.top),
          2 * (box.bottom - b),
          ...labels.map(([u, v]) => Math.hypot(u - a, 2 * (v - b))),
        )
        if (d > room) {
          room = d
          best = [a, b]
        }
      }
      if (best) labels.push(best)
      return { x, text, best, d: parts.map((p) => `M${p[0].toFixed(1)} ${p[1].toFixed(1)}L${p[2].toFixed(1)} ${p[3].toFixed(1)}`).join('') }
    })
  }, [field, box.right, box.bottom])
  return (
    <g class="isolines">
      {drawn.map(({ x, d }) => (
        <path key={x} d={d} />
      ))}
      {drawn.map(
        ({ x, text, best }) =>
          best && (
            <text key={x} class="tick halo" x={best[0]} y={best[1]} dy="0.32em" text-anchor="middle">
              {text}
              <title>{`${number(x)} ${z.meta.unit}`}</title>
            </text>
          ),
      )}
    </g>
  )
}

function Means({ field, box, by, x, y }: { field: Grid; box: Frame; by: Colouring; x: Loaded; y: Loaded }) {
  void painted.value
  const { nx, ny, mean, weight, back } = field
  const front = useMemo(() => {
    const out = new Uint32Array(nx * ny)
    const [xs, ys] = [axis(x, 0, nx), axis(y, ny, 0)]
    for (const r of store.view.front.rows) out[Math.floor(ys(y.x[r])) * nx + Math.floor(xs(x.x[r]))]++
    return out
  }, [field])
  const w = (box.right - box.left) / nx
  const h = (box.bottom - box.top) / ny
  if (w < 46 || h < 20) return null
  const ground = rgb('--ground')
  return (
    <g class="means">
      {Array.from(mean, (v, k) => {
        const px = box.left + ((k % nx) + 0.5) * w
        const py = box.top + (Math.floor(k / nx) + 0.5) * h
        const a = opacity(weight[k])
        const tint = ramp(share(by, back(v))).map((c, i) => c * a + ground[i] * (1 - a)) as RGB
        return (
          !Number.isNaN(v) && (
            <text key={k} class={bright(tint) ? 'dark' : 'light'} x={px} y={py} dy={h < 36 ? '0.32em' : '-0.1em'} text-anchor="middle">
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
    </g>
  )
}

export function Contour() {
  const zs = useMemo(metrics, [])
  const { columns } = store.view
  const name = (key: string) => (id: number) => choose(key, columns[id].name)
  const z = chosen(choices.value['contour.z'], zs, zs[0])
  const ids = useMemo(() => parameters(columns[z]?.name), [z])
  const x = chosen(choices.value['contour.x'], ids, ids[0])
  let y = chosen(choices.value['contour.y'], ids)
  if (y < 0 || y === x) y = ids.find((id) => id !== x) ?? -1
  const loaded = y >= 0 && z >= 0 ? store.all([x, y, z]) : undefined
  return (
    <Figure
      id="contour"
      title={z < 0 ? 'Two parameters together' : `${cut(title(columns[z]), 50)} over two parameters`}
      absent={y < 0 ? 'This takes two parameters.' : columns[z]?.min === undefined ? 'Nothing was measured.' : ''}
      tools={
        <>
          <ColumnChoice label="x" id={x} ids={ids} on={name('contour.x')} />
          <ColumnChoice label="y" id={y} ids={ids} on={name('contour.y')} />
          <ColumnChoice label="colour" id={z} ids={zs} on={name('contour.z')} />
        </>
      }
    >
      <Lazy height={420}>{(width) => loaded && <Mean x={loaded[0]} y={loaded[1]} z={loaded[2]} width={width} />}</Lazy>
    </Figure>
  )
}

function Mean(p: { x: Loaded; y: Loaded; z: Loaded; width: number }) {
  const field = useMemo(() => grid(p.x, p.y, p.z), [p.x, p.y, p.z])
  const tiles = levels(p.x.meta) && levels(p.y.meta)
  const by = colouring(p.z, [field.back(field.low), field.back(field.high)])
  return (
    <>
      <Drawn {...p} field={field} by={by} />
      <p class="note">
        <Key of={by} /> Mean of the trials {tiles ? 'with both values; ★ on the front' : 'around a place, paler where they are few'}.
      </p>
    </>
  )
}
