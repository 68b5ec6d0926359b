// Brushing: dragging over a plot selects a range of the columns on its axes.

import { useRef } from 'preact/hooks'
import type { Signal } from '@preact/signals'
import type { Find } from './cloud'
import { clamp, type Range, type Scale } from './scale'
import { brush, brushes, hover, pick, store } from './state'

// At is where the pointer is in a plot, and the row it is on or -1.
export interface At {
  x: number
  y: number
  row: number
}

// snap rounds an end of a brush to what a pixel of the axis can tell, and of a
// category to the index whose part it lies in.
function snap(s: Scale, id: number, pixel: number): number {
  const c = store.view.columns[id]
  const x = s.invert(pixel)
  if (c.kind !== 'number') return clamp(Math.round(x), 0, (c.values?.length ?? 1) - 1)
  const step = 10 ** Math.floor(Math.log10(Math.abs(s.invert(pixel + 0.5) - s.invert(pixel - 0.5))))
  return step > 0 && step < Infinity ? Number((Math.round(x / step) * step).toPrecision(12)) : x
}

// ends returns the pixels between which a brush lies, or undefined.
function ends({ s, id, low, high }: Side): Range | undefined {
  const b = s && brushes.value.get(id)
  if (!b) return undefined
  const half = store.view.columns[id].kind === 'number' ? 0 : 0.5
  const at = (x: number, otherwise: number) => clamp(x === x ? x : otherwise, low, high)
  const [a, z] = [at(s(b[0] - half), low), at(s(b[1] + half), high)]
  return [Math.min(a, z), Math.max(a, z)]
}

// A Side is one of the two directions of a plot.
interface Side {
  s?: Scale
  id: number // its column, or -1
  low: number // pixels
  high: number
}

// place is where the pointer is in the plot.
export function place(e: PointerEvent): Range {
  const r = (e.currentTarget as Element).closest('.plot')!.getBoundingClientRect()
  return [e.clientX - r.left, e.clientY - r.top]
}

// How a drag moves a brush along a side: not, its low or its high end, or both.
type Hold = 0 | 1 | 2 | 3

// Brush is the part of a plot that takes the pointer. It stands in the SVG over
// the plot. Dragging selects in the columns cx and cy, as far as they are given;
// the selection can be moved and resized. A click picks the row that find
// returns, or clears; a double click clears.
export function Brush(p: {
  left: number
  top: number
  right: number
  bottom: number
  x?: Scale
  y?: Scale
  cx?: number
  cy?: number
  find?: Find
  at?: Signal<At | undefined>
}) {
  const drag = useRef<{ from: Range; box: Range[]; hold: Hold[]; moved: boolean; before: typeof brushes.value }>(null)
  const sides: Side[] = [
    { s: p.x, id: p.cx ?? -1, low: p.left, high: p.right },
    { s: p.y, id: p.cy ?? -1, low: p.top, high: p.bottom },
  ]
  const now = sides.map(ends)
  const box = now.some(Boolean) && now.map((e, k): Range => e ?? [sides[k].low, sides[k].high])

  // grip is what a place holds of the brush.
  const grip = (at: Range, near: number): Hold[] | undefined => {
    if (!box || at.some((v, k) => v < box[k][0] - near || v > box[k][1] + near)) return undefined
    const edges = at.map((v, k): Hold => (!now[k] ? 0 : Math.abs(v - box[k][0]) <= near ? 1 : Math.abs(v - box[k][1]) <= near ? 2 : 0))
    return edges.some(Boolean) ? edges : now.map((e) => (e ? 3 : 0))
  }
  const look = (e: PointerEvent): number => {
    const [x, y] = place(e)
    const row = p.find?.(x, y, e.pointerType === 'touch' ? 24 : 12) ?? -1
    if (p.at) p.at.value = { x, y, row }
    if (p.find) hover.value = row
    return row
  }
  const leave = () => {
    if (p.at) p.at.value = undefined
    if (p.find) hover.value = -1
  }
  const clear = () => {
    if (now.some(Boolean)) brush(...sides.map((s) => [s.id, undefined] as const))
  }
  const down = (e: PointerEvent) => {
    if (e.button) return
    const from = place(e)
    const hold = grip(from, e.pointerType === 'touch' ? 14 : 5)
    ;(e.currentTarget as Element).setPointerCapture(e.pointerId)
    drag.current = { from, box: (hold && box) || from.map((v): Range => [v, v]), hold: hold ?? [2, 2], moved: false, before: brushes.value }
  }
  const move = (e: PointerEvent) => {
    const to = place(e)
    const d = drag.current
    if (!d) {
      const row = look(e)
      const [h, v] = grip(to, 5) ?? []
      const edge = h === 3 || v === 3 ? '' : h && v ? (h === v ? 'nwse' : 'nesw') : h ? 'ew' : v ? 'ns' : ''
      ;(e.currentTarget as SVGElement).style.cursor = edge ? edge + '-resize' : row >= 0 ? 'pointer' : h || v ? 'move' : 'crosshair'
      return
    }
    if (!d.moved) {
      if (Math.hypot(to[0] - d.from[0], to[1] - d.from[1]) < 4) return
      d.moved = true
      leave()
    }
    brush(
      ...sides.flatMap(({ s, id, low, high }, k) => {
        const [a, z] = d.box[k]
        const hold = d.hold[k]
        if (!s || id < 0 || !hold) return []
        const by = clamp(to[k] - d.from[k], low - a, high - z)
        const at = clamp(to[k], low, high)
        const range = [hold === 3 ? a + by : hold === 1 ? at : a, hold === 3 ? z + by : hold === 2 ? at : z].map((v) => snap(s, id, v))
        return [[id, range.sort((a, b) => a - b) as Range] as const]
      }),
    )
  }
  const up = (e: PointerEvent) => {
    const d = drag.current
    drag.current = null
    if (!d || d.moved) return
    const row = look(e)
    if (row >= 0) pick(row, e.shiftKey)
    else clear()
  }
  const cancel = () => {
    if (drag.current?.moved) brushes.value = drag.current.before
    drag.current = null
    leave()
  }
  // Grips are short bars on the edges that can be moved.
  const [x, y] = box || [[0, 0], [0, 0]]
  const grips = (now[0] ?? []).map((v) => `M${v} ${(y[0] + y[1]) / 2 - 7}v14`).join('') + (now[1] ?? []).map((v) => `M${(x[0] + x[1]) / 2 - 7} ${v}h14`).join('')
  return (
    <>
      <path class="grips" d={grips} />
      {box && <rect class="brush" x={x[0]} y={y[0]} width={Math.max(x[1] - x[0], 1)} height={Math.max(y[1] - y[0], 1)} />}
      <rect
        class="sense"
        x={p.left}
        y={p.top}
        width={Math.max(p.right - p.left, 0)}
        height={Math.max(p.bottom - p.top, 0)}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={cancel}
        onPointerLeave={() => !drag.current && leave()}
        onDblClick={clear}
      />
    </>
  )
}
