// The archive of a quality-diversity method: the best design of every cell of
// its measures.

import { useMemo } from 'preact/hooks'
import type { Archive, Loaded } from './data'
import { Choice, Figure, useWidth } from './figure'
import { cut, number, percent, plural, title } from './format'
import { cloud, pack } from './points'
import { linear, of, type Scale } from './scale'
import { choices, choose, hover, mask, picks, store, type Mask } from './state'
import { css, painted, ramp, rgb } from './theme'
import { colouring, Key, share, type Colouring } from './colouring'
import { bright, Plot } from './kit'
import { room } from './rows'
import { Dots, dotSize, finder, margin, ratio, spot, type Frame, type Placed } from './scatter'

// A Picture is a way to draw the elites.
interface Picture {
  draw(g: CanvasRenderingContext2D, m: Mask): void
  find(x: number, y: number, reach: number): number
  spot(row: number): readonly [number, number] | undefined // the middle of its mark
  box?(row: number): readonly [number, number, number, number] | undefined // its cell, if that is a box
}

// coloursOf spreads the ramp over the elites; the worst twentieth have the
// colour of the worst, since they may be far off.
function coloursOf(a: Archive, c: Loaded): { by: Colouring; best: number } {
  const xs = a.elites.map((e) => c.x[e.row]).filter(Number.isFinite).sort((p, q) => p - q)
  const at = (q: number) => xs[Math.round(q * (xs.length - 1))]
  const low = at(a.better === 'high' ? 0.05 : 0)
  const high = at(a.better === 'low' ? 0.95 : 1)
  const goal = a.better === 'high' ? at(1) : at(0)
  return { by: { ...colouring(c, [low, high]), flip: a.better === 'low' }, best: a.elites.find((e) => c.x[e.row] === goal)?.row ?? -1 }
}

// beats says whether a value of the objective is better than another.
const beats = (a: Archive, x: number, y: number) => (a.better === 'high' ? x > y : x < y)

// grid draws boxes along two axes, each with the best elite over the others, of
// which levels may fix some.
function grid(a: Archive, c: Loaded, by: Colouring, ax: number, ay: number, levels: number[], sx: Scale, sy: Scale): Picture {
  const nx = a.measures[ax].cells
  const ny = a.measures[ay].cells
  const top = new Int32Array(nx * ny).fill(-1)
  const cellOf = new Map<number, number>()
  for (const { cell, row } of a.elites) {
    const at: number[] = []
    for (let k = a.measures.length - 1, rest = cell; k >= 0; k--) {
      at[k] = rest % a.measures[k].cells
      rest = Math.floor(rest / a.measures[k].cells)
    }
    if (levels.some((l, k) => k !== ax && k !== ay && l >= 0 && at[k] !== l)) continue
    const i = at[ay] * nx + at[ax]
    if (top[i] < 0 || beats(a, c.x[row], c.x[top[i]])) top[i] = row
  }
  for (let i = 0; i < top.length; i++) if (top[i] >= 0) cellOf.set(top[i], i)
  const edge = (s: Scale, k: number, n: number) => Math.round(s(s.low + ((s.high - s.low) * k) / n))
  const box = (i: number): [number, number, number, number] => {
    const x = i % nx
    const y = Math.floor(i / nx)
    const [l, r, t, b] = [edge(sx, x, nx), edge(sx, x + 1, nx), edge(sy, y + 1, ny), edge(sy, y, ny)]
    return [l, t, r - l, b - t]
  }
  const boxOf = (row: number) => {
    const i = cellOf.get(row)
    return i === undefined ? undefined : box(i)
  }
  return {
    draw(g, m) {
      g.textAlign = 'center'
      g.textBaseline = 'middle'
      g.font = '11px system-ui, sans-serif'
      for (let i = 0; i < top.length; i++) {
        const row = top[i]
        if (row < 0) continue
        const [x, y, w, h] = box(i)
        const gap = Math.min(w, h) > 5 ? 1 : 0
        const t = share(by, c.x[row])
        g.globalAlpha = m.all || m.bits[row] ? 1 : 0.18
        g.fillStyle = css(ramp(t))
        g.fillRect(x, y, w - gap, h - gap)
        const text = w >= 30 && h >= 16 ? number(Number(c.x[row].toPrecision(3))) : ''
        if (text && text.length * 6.4 < w - 4) {
          g.fillStyle = bright(ramp(t)) ? '#000' : '#fff'
          g.fillText(text, x + w / 2, y + h / 2 + 0.5)
        }
      }
      g.globalAlpha = 1
    },
    find(px, py) {
      const x = Math.floor(((sx.invert(px) - sx.low) / (sx.high - sx.low)) * nx)
      const y = Math.floor(((sy.invert(py) - sy.low) / (sy.high - sy.low)) * ny)
      return x >= 0 && y >= 0 && x < nx && y < ny ? top[y * nx + x] : -1
    },
    spot(row) {
      const b = boxOf(row)
      return b && [b[0] + b[2] / 2, b[1] + b[3] / 2]
    },
    box: boxOf,
  }
}

// voronoi draws the cells of centroids in two measures. Which cell a pixel
// belongs to is found once; colours are looked up.
function voronoi(a: Archive, c: Loaded, by: Colouring, sx: Scale, sy: Scale, f: Frame): Picture {
  const k = ratio()
  const w = Math.round((f.right - f.left) * k)
  const h = Math.round((f.bottom - f.top) * k)
  const points = a.centroids!
  const n = points.length
  const unit = (s: Scale, v: number) => (v - s.low) / (s.high - s.low)
  const ux = Float64Array.from(points, (p) => unit(sx, p[0]))
  const uy = Float64Array.from(points, (p) => unit(sy, p[1]))
  // Centroids by their first measure: from a pixel's column one looks both ways,
  // as far as a nearer one can be.
  const order = Int32Array.from(ux, (_, i) => i).sort((i, j) => ux[i] - ux[j])
  const owner = new Int32Array(w * h)
  for (let px = 0, start = 0; px < w; px++) {
    const x = (px + 0.5) / w
    while (start < n && ux[order[start]] < x) start++
    for (let py = 0; py < h; py++) {
      const y = 1 - (py + 0.5) / h
      let best = Infinity
      const look = (k: number): boolean => {
        const q = order[k]
        const d = (ux[q] - x) ** 2
        const all = d + (uy[q] - y) ** 2
        if (all < best) {
          best = all
          owner[py * w + px] = q
        }
        return d < best
      }
      for (let k = start; k < n && look(k); k++);
      for (let k = start - 1; k >= 0 && look(k); k--);
    }
  }
  const rowOf = new Int32Array(n).fill(-1)
  const cellOf = new Map<number, number>()
  for (const e of a.elites) {
    rowOf[e.cell] = e.row
    cellOf.set(e.row, e.cell)
  }
  const canvas = document.createElement('canvas')
  canvas.width = w
  canvas.height = h
  const to = canvas.getContext('2d', { willReadFrequently: true })!
  const image = to.createImageData(w, h)
  const out = new Uint32Array(image.data.buffer)
  const border = n < 20_000
  return {
    draw(g, m) {
      void painted.value
      const table = Uint32Array.from(rowOf, (row) => (row < 0 ? 0 : pack(ramp(share(by, c.x[row])), m.all || m.bits[row] ? 255 : 45)))
      const thin = Uint32Array.from(table, (v) => (v & 0xffffff) | ((((v >>> 24) * 0.55) << 24) >>> 0))
      for (let i = 0, y = 0; y < h; y++) {
        for (let x = 0; x < w; x++, i++) {
          const o = owner[i]
          const rim = border && ((x + 1 < w && owner[i + 1] !== o) || (y + 1 < h && owner[i + w] !== o))
          out[i] = rim ? thin[o] : table[o]
        }
      }
      to.putImageData(image, 0, 0)
      g.drawImage(canvas, f.left, f.top, w / k, h / k)
    },
    find(x, y) {
      const px = Math.floor((x - f.left) * k)
      const py = Math.floor((y - f.top) * k)
      return px >= 0 && py >= 0 && px < w && py < h ? rowOf[owner[py * w + px]] : -1
    },
    spot(row) {
      const cell = cellOf.get(row)
      return cell === undefined ? undefined : [sx(points[cell][0]), sy(points[cell][1])]
    },
  }
}

// profile draws the cells of one measure as steps at the height of their elite.
function profile(a: Archive, c: Loaded, sx: Scale, sy: Scale, f: Frame): Picture {
  const n = a.cells
  const row = new Map(a.elites.map((e) => [e.cell, e.row]))
  const cell = new Map(a.elites.map((e) => [e.row, e.cell]))
  const edge = (k: number) => sx(sx.low + ((sx.high - sx.low) * k) / n)
  return {
    draw(g, m) {
      for (const [k, r] of row) {
        g.globalAlpha = m.all || m.bits[r] ? 1 : 0.2
        const y = Math.min(sy(c.x[r]), f.bottom)
        g.fillStyle = css(rgb('--selected'), 0.12)
        g.fillRect(edge(k), y, edge(k + 1) - edge(k), f.bottom - y)
        g.fillStyle = css(rgb('--selected'))
        g.fillRect(edge(k), y - 1.5, edge(k + 1) - edge(k), 3)
      }
      g.globalAlpha = 1
    },
    find: (x) => row.get(Math.floor(((sx.invert(x) - sx.low) / (sx.high - sx.low)) * n)) ?? -1,
    spot(r) {
      const k = cell.get(r)
      return k === undefined ? undefined : [edge(k + 0.5), sy(c.x[r])]
    },
  }
}

// dots draws the elites as points of two columns, coloured by the objective.
function dots(a: Archive, by: Colouring | undefined, x: Float64Array | Float32Array, y: Float64Array | Float32Array, sx: Scale, sy: Scale, f: Frame): Picture {
  const k = ratio()
  const c: Placed = cloud(store.rows, Math.round(f.width * k), Math.round(f.height * k))
  const kind = new Uint8Array(store.rows)
  for (const { row } of a.elites) {
    const px = Math.min(Math.max(sx(x[row]), f.left), f.right)
    const py = Math.min(Math.max(sy(y[row]), f.top), f.bottom)
    if (Number.isNaN(px) || Number.isNaN(py)) continue
    c.x[row] = px * k
    c.y[row] = py * k
    kind[row] = 1
  }
  const d = new Dots(c, kind, dotSize(a.elites.length) + 1, by)
  return { draw: (g, m) => d.draw(g, m, f), find: finder(c), spot: (row) => spot(c, row) }
}

function CellMarks(p: { picture: Picture; best: number }) {
  const mark = (row: number, name: string) => {
    const b = row >= 0 ? p.picture.box?.(row) : undefined
    const s = row >= 0 ? p.picture.spot(row) : undefined
    if (b) return <rect key={name + row} class={name} x={b[0] - 0.5} y={b[1] - 0.5} width={b[2]} height={b[3]} />
    return s && <circle key={name + row} class={name} cx={s[0]} cy={s[1]} r={6} />
  }
  const at = p.best >= 0 ? p.picture.spot(p.best) : undefined
  const half = (p.best >= 0 && p.picture.box?.(p.best)?.[3]) || 12
  return (
    <>
      <g class="marks">
        {mark(p.best, 'best')}
        {picks.value.map((row) => mark(row, 'picked'))}
        {mark(hover.value, 'hovered')}
      </g>
      {at && (
        <text class="direct" x={at[0]} y={at[1] - half / 2 - 5} text-anchor="middle">
          best
        </text>
      )}
    </>
  )
}

export function ArchiveFigure() {
  const a = store.view.archive
  const c = a && store.column(a.objective)
  const d = a?.measures.length ?? 0
  const name = 'The archive'
  if (!a) return store.view.missing.archive === undefined ? null : <Figure id="archive" title={name} missing="archive" />
  const index = (key: string, otherwise: number, not = -1) => {
    const k = a.measures.findIndex((m) => m.metric === choices.value[key])
    return k >= 0 && k !== not ? k : otherwise === not ? (otherwise + 1) % d : otherwise
  }
  const ax = index('archive.x', 0)
  const ay = d > 1 ? index('archive.y', 1, ax) : -1
  const levels = a.measures.map((m, k) =>
    k === ax || k === ay || a.kind !== 'grid' ? -1 : Math.min(Number(choices.value['archive.at.' + m.metric] ?? -1), m.cells - 1),
  )
  const options = a.measures.map((m) => ({ value: m.metric, text: cut(m.metric, 40) }))
  const range = (m: { low: number; high: number; cells: number }, k: number) => {
    const step = (m.high - m.low) / m.cells
    return `${number(m.low + k * step)} to ${number(m.low + (k + 1) * step)}`
  }
  const by = useMemo(() => c && coloursOf(a, c), [a, c])
  return (
    <Figure
      id="archive"
      title={name}
      tools={
        d > 2 && (
          <>
            <Choice label="x" value={a.measures[ax].metric} options={options} on={(v) => choose('archive.x', v)} />
            <Choice label="y" value={a.measures[ay].metric} options={options} on={(v) => choose('archive.y', v)} />
            {a.kind === 'grid' &&
              a.measures.map(
                (m, k) =>
                  k !== ax &&
                  k !== ay && (
                    <label class="choice" key={m.metric}>
                      <span>
                        {cut(m.metric, 24)}: {levels[k] < 0 ? 'best of all' : range(m, levels[k])}
                      </span>
                      <input
                        type="range"
                        min={-1}
                        max={m.cells - 1}
                        value={levels[k]}
                        onInput={(e) => choose('archive.at.' + m.metric, e.currentTarget.value === '-1' ? undefined : e.currentTarget.value)}
                      />
                    </label>
                  ),
              )}
          </>
        )
      }
      note={
        <>
          {by && d > 1 && <Key of={by.by} />}
          {plural(a.elites.length, 'cell')} of {number(a.cells)} hold a design ({percent(a.coverage)}); QD-score {number(a.qdScore)}.
          {d > 2 && a.kind === 'grid' && ' Each box shows the best over the measures that are not on an axis.'}
        </>
      }
    >
      {c && by && <Elites a={a} c={c} by={by.by} best={by.best} ax={ax} ay={ay} levels={levels} />}
    </Figure>
  )
}

function Elites(p: { a: Archive; c: Loaded; by: Colouring; best: number; ax: number; ay: number; levels: number[] }) {
  const { a, c, by, ax, ay } = p
  const [ref, width] = useWidth<HTMLDivElement>()
  const mx = a.measures[ax]
  const my = ay >= 0 ? a.measures[ay] : undefined
  const height = Math.round(Math.min(Math.max(width * 0.7, 240), 440))
  const loaded = store.all(a.measures.map((m) => m.column).filter((id) => id >= 0))
  const column = (m: { column: number }) => loaded?.find((l) => l.id === m.column)
  const model = useMemo(() => {
    const cx = column(mx)
    if (!width || !cx) return undefined
    const top = 30
    const bottom = height - 44
    const sy = my
      ? linear(my.low, my.high, bottom, top)
      : of(c, bottom, top, room([Math.min(by.low, by.high), Math.max(by.low, by.high)], by.log, 0.06))
    const left = margin(sy, height)
    const f: Frame = { width, height, left, top, right: width - 14, bottom }
    const sx = linear(mx.low, mx.high, left, f.right)
    let picture: Picture
    if (!my) picture = a.kind === 'grid' ? profile(a, c, sx, sy, f) : dots(a, undefined, cx.x, c.x, sx, sy, f)
    else if (a.kind === 'grid') picture = grid(a, c, by, ax, ay, p.levels, sx, sy)
    else if (a.measures.length === 2 && a.centroids) picture = voronoi(a, c, by, sx, sy, f)
    else {
      const cy = column(my)
      if (!cy) return undefined
      picture = dots(a, by, cx.x, cy.x, sx, sy, f)
    }
    return { f, sx, sy, picture, draw: (g: CanvasRenderingContext2D) => picture.draw(g, mask.value) }
  }, [a, c, by, ax, ay, width, height, p.levels.join(), loaded?.length])
  const columns = store.view.columns
  const name = (m: { column: number; metric: string }) => title(m.column >= 0 ? columns[m.column] : { name: m.metric })
  return (
    <div ref={ref} style={{ minHeight: height + 'px' }}>
      {model && (
        <Plot
          frame={model.f}
          x={model.sx}
          y={model.sy}
          xTitle={name(mx)}
          yTitle={name(my ?? { column: c.id, metric: '' })}
          grid={!my}
          label={`the archive: ${plural(a.elites.length, 'design')} by ${a.measures.map((m) => m.metric).join(', ')}`}
          draw={model.draw}
          find={model.picture.find}
          cx={mx.column >= 0 ? mx.column : undefined}
          cy={my ? (my.column >= 0 ? my.column : undefined) : c.id}
          tip={[c.id, ...a.measures.map((m) => m.column)]}
        >
          <CellMarks picture={model.picture} best={p.best} />
        </Plot>
      )}
    </div>
  )
}
