// The archive of a quality-diversity method: the best design of every cell of
// its measures.

import { useMemo } from 'preact/hooks'
import { cast, Dots, dotSize, finder, frame, margin, ratio, type Find, type Frame } from './cloud'
import { colouring, Ramp, tint, type Colouring } from './colouring'
import type { Archive, Loaded } from './data'
import { Choice, Figure, Lazy, type Draw } from './figure'
import { number, percent, plural, title } from './format'
import { dot, Plot, type Mark } from './plot'
import { axis } from './rows'
import { clamp, scale, type Scale } from './scale'
import { choices, choose, mask, store } from './state'
import { bright, pack } from './theme'

// A Picture is a way to draw the elites.
interface Picture {
  draw: Draw
  find: Find
  mark: Mark
}

// Cells lie in the unit square: middles, and which one a place belongs to.
interface Cells {
  row: Int32Array // their elites, -1 without
  ux: ArrayLike<number>
  uy: ArrayLike<number>
  owner: (x: number, y: number) => number
  wide?: number // of boxes
  tall?: number
}

// boxes are the cells of a grid along two measures, each with the best elite over
// the others.
function boxes(a: Archive, c: Loaded, ax: number, ay: number): Cells {
  const [nx, ny] = [a.measures[ax].cells, a.measures[ay].cells]
  const row = new Int32Array(nx * ny).fill(-1)
  for (const e of a.elites) {
    // Cells run along the last measure first.
    const along = (k: number) => Math.floor(e.cell / a.measures.slice(k + 1).reduce((n, m) => n * m.cells, 1)) % a.measures[k].cells
    const i = along(ay) * nx + along(ax)
    const better = a.better === 'high' ? c.x[e.row] > c.x[row[i]] : c.x[e.row] < c.x[row[i]]
    if (row[i] < 0 || better) row[i] = e.row
  }
  return {
    row,
    ux: Array.from(row, (_, i) => ((i % nx) + 0.5) / nx),
    uy: Array.from(row, (_, i) => (Math.floor(i / nx) + 0.5) / ny),
    owner: (x, y) => Math.floor(y * ny) * nx + Math.floor(x * nx),
    wide: 1 / nx,
    tall: 1 / ny,
  }
}

// regions are the cells around centroids of two measures.
function regions(a: Archive): Cells {
  const row = new Int32Array(a.centroids!.length).fill(-1)
  for (const e of a.elites) row[e.cell] = e.row
  const [ux, uy] = a.measures.map((m, k) => Float64Array.from(a.centroids!, (p) => (p[k] - m.low) / (m.high - m.low)))
  // Centroids by their first measure: from a place one looks both ways, as far as
  // a nearer one can be.
  const order = Int32Array.from(ux, (_, i) => i).sort((i, j) => ux[i] - ux[j])
  let start = 0
  return {
    row,
    ux,
    uy,
    owner: (x, y) => {
      while (start < order.length && ux[order[start]] < x) start++
      while (start > 0 && ux[order[start - 1]] >= x) start--
      let best = Infinity
      let at = -1
      const look = (k: number): boolean => {
        const q = order[k]
        const across = (ux[q] - x) ** 2
        const d = across + (uy[q] - y) ** 2
        if (d < best) {
          best = d
          at = q
        }
        return across < best
      }
      for (let k = start; k < order.length && look(k); k++);
      for (let k = start - 1; k >= 0 && look(k); k--);
      return at
    },
  }
}

// heatmap draws cells. Which one a pixel belongs to is found once; colours are
// looked up.
function heatmap(cells: Cells, c: Loaded, by: Colouring, f: Frame): Picture {
  const { row, ux, uy, wide = 0, tall = 0 } = cells
  const k = ratio()
  const [w, h] = [Math.round((f.right - f.left) * k), Math.round((f.bottom - f.top) * k)]
  const owner = new Int32Array(w * h)
  for (let x = 0; x < w; x++) for (let y = 0; y < h; y++) owner[y * w + x] = cells.owner((x + 0.5) / w, 1 - (y + 0.5) / h)
  const canvas = new OffscreenCanvas(w, h)
  const to = canvas.getContext('2d')!
  const image = to.createImageData(w, h)
  const out = new Uint32Array(image.data.buffer)
  const border = row.length < 20_000
  const middle = (i: number) => [f.left + (ux[i] * w) / k, f.bottom - (uy[i] * h) / k]
  const [bw, bh] = [(wide * w) / k, (tall * h) / k]
  const cellOf = new Map(Array.from(row, (r, i) => [r, i]))
  return {
    draw: (g) => {
      const m = mask.value
      const colours = Array.from(row, (r) => (r < 0 ? undefined : tint(by, c.x[r])))
      const table = Uint32Array.from(colours, (v, i) => (v ? pack(v, m.all || m.bits[row[i]] ? 255 : 45) : 0))
      const thin = table.map((v) => (v & 0xffffff) | ((v >>> 26) << 24)) // a quarter as strong
      for (let i = 0; i < out.length; i++) {
        const o = owner[i]
        const rim = border && (owner[i + 1] !== o || (owner[i + w] ?? o) !== o)
        out[i] = rim ? thin[o] : table[o]
      }
      to.putImageData(image, 0, 0)
      g.drawImage(canvas, f.left, f.top, w / k, h / k)
      if (bh < 16) return
      g.textAlign = 'center'
      g.textBaseline = 'middle'
      g.font = '11px system-ui, sans-serif'
      colours.forEach((v, i) => {
        const text = v && number(Number(c.x[row[i]].toPrecision(3)))
        if (!text || text.length * 6.4 > bw - 4) return
        const [x, y] = middle(i)
        g.fillStyle = bright(v) === (m.all || m.bits[row[i]] === 1) ? '#000' : '#fff'
        g.fillText(text, x, y)
      })
    },
    find: (x, y) => {
      const [px, py] = [Math.floor((x - f.left) * k), Math.floor((y - f.top) * k)]
      return px >= 0 && py >= 0 && px < w && py < h ? row[owner[py * w + px]] : -1
    },
    mark: (r, name) => {
      const i = cellOf.get(r)
      if (i === undefined) return undefined
      const [x, y] = middle(i)
      return wide ? <rect class={name} x={x - bw / 2} y={y - bh / 2} width={bw} height={bh} /> : <circle class={name} cx={x} cy={y} r={6} />
    },
  }
}

// points draws the elites as points of two columns, coloured by the objective.
function points(a: Archive, x: Loaded, y: Loaded, sx: Scale, sy: Scale, f: Frame, by?: Colouring): Picture {
  const kind = new Uint8Array(store.rows)
  for (const e of a.elites) kind[e.row] = 1
  const c = cast(x, y, sx, sy, f, kind)
  const d = new Dots(c, kind, dotSize(a.elites.length) + 1, by)
  return { draw: (g) => d.draw(g, mask.value, f), find: finder(c), mark: dot(c) }
}

export function ArchiveFigure() {
  const a = store.view.archive
  const why = store.view.missing.archive
  if (!a) return why ? <Figure id="archive" title="The archive" /> : null
  const d = a.measures.length
  const index = (key: string, otherwise: number) => {
    const k = a.measures.findIndex((m) => m.metric === choices.value[key])
    return k < 0 ? otherwise : k
  }
  const ax = index('archive.x', 0)
  let ay = index('archive.y', 1)
  if (ay === ax) ay = (ax + 1) % d
  const c = store.column(a.objective)
  const measured = store.all(a.measures.map((m) => m.column).filter((id) => id >= 0))
  const by = useMemo(() => {
    const xs = c ? a.elites.map((e) => c.x[e.row]).filter(Number.isFinite) : []
    const ends = [Infinity, -Infinity]
    for (const x of xs) {
      ends[0] = Math.min(ends[0], x)
      ends[1] = Math.max(ends[1], x)
    }
    return c && { ...colouring(c, [ends[0], ends[1]]), flip: a.better === 'low' }
  }, [c])
  const choice = (of: string, k: number) => (
    <Choice label={of} value={a.measures[k].metric} options={a.measures.map((m) => [m.metric, m.metric])} on={(v) => choose('archive.' + of, v)} />
  )
  return (
    <Figure
      id="archive"
      title="The archive"
      tools={d > 2 && [choice('x', ax), choice('y', ay)]}
      note={
        <>
          {by && d > 1 && <Ramp of={by} />}
          {plural(a.elites.length, 'cell')} of {number(a.cells)} hold a design ({percent(a.coverage)}); QD-score {number(a.qdScore)}. The best is framed.
          {d > 2 && a.kind === 'grid' && ' A box shows the best over the measures that are not on an axis.'}
        </>
      }
    >
      <Lazy height={440}>
        {(width) => c && by && measured && <Elites key={`${ax} ${ay}`} a={a} c={c} by={by} ax={ax} ay={d > 1 ? ay : -1} measured={measured} width={width} />}
      </Lazy>
    </Figure>
  )
}

function Elites(p: { a: Archive; c: Loaded; by: Colouring; ax: number; ay: number; measured: Loaded[]; width: number }) {
  const { a, c, by, ax, ay, width } = p
  const [mx, my] = [a.measures[ax], ay < 0 ? undefined : a.measures[ay]]
  const model = useMemo(() => {
    const height = Math.round(clamp(width * 0.7, 240, 440))
    const sy = my ? scale(my.low, my.high, height - 44, 30) : axis(c, height - 44, 30)
    const f = frame(width, height, margin(sy, { width, height }))
    const sx = scale(mx.low, mx.high, f.left, f.right)
    const column = (id: number) => p.measured.find((l) => l.id === id)
    const [cx, cy] = [column(mx.column), my ? column(my.column) : c]
    const cells = my && (a.kind === 'grid' ? boxes(a, c, ax, ay) : a.measures.length === 2 && a.centroids ? regions(a) : undefined)
    const picture = cells ? heatmap(cells, c, by, f) : cx && cy && points(a, cx, cy, sx, sy, f, my && by)
    return picture && { ...picture, f, sx, sy }
  }, [a, c, by, width])
  if (!model) return null
  const name = (id: number, metric: string) => title(store.view.columns[id] ?? { name: metric })
  const best = a.elites.find((e) => c.x[e.row] === (by.flip ? by.low : by.high))
  return (
    <Plot
      frame={model.f}
      x={model.sx}
      y={model.sy}
      xTitle={name(mx.column, mx.metric)}
      yTitle={name(my ? my.column : c.id, my?.metric ?? '')}
      grid={!my}
      label={`the archive: ${plural(a.elites.length, 'design')} by ${a.measures.map((m) => m.metric).join(', ')}`}
      draw={model.draw}
      find={model.find}
      mark={model.mark}
      cx={mx.column}
      cy={my ? my.column : c.id}
      tip={[c.id, ...a.measures.map((m) => m.column)]}
    >
      <g class="marks">{best && model.mark(best.row, 'best')}</g>
    </Plot>
  )
}
