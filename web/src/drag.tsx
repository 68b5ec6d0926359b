// Brushing: dragging over a plot selects a range of the columns on its axes.

import { useRef } from 'preact/hooks'
import type { Signal } from '@preact/signals'
import type { Scale } from './scale'
import { brushes, hover, pick, store } from './state'

// At is where the pointer is in a plot, and the row it is on or -1.
export interface At {
  x: number
  y: number
  row: number
}

type Box = [number, number, number, number] // left, top, right, bottom

// snap rounds an end of a brush to what a pixel of the axis can tell, and of a
// category to the index whose part it lies in.
export function snap(s: Scale, id: number, pixel: number): number {
  const c = store.view.columns[id]
  const x = s.invert(pixel)
  if (c.kind !== 'number') return Math.min(Math.max(Math.round(x), 0), (c.values?.length ?? 1) - 1)
  const step = 10 ** Math.floor(Math.log10(Math.abs(s.invert(pixel + 0.5) - s.invert(pixel - 0.5))))
  return step > 0 && Number.isFinite(step) ? Number((Math.round(x / step) * step).toPrecision(12)) : x
}

// ends returns the pixels between which a brush lies, or undefined.
export function ends(s: Scale | undefined, id: number | undefined, low: number, high: number): [number, number] | undefined {
  const b = s && id !== undefined && brushes.value.get(id)
  if (!b) return undefined
  const half = store.view.columns[id].kind === 'number' ? 0 : 0.5
  const at = [s(b[0] - half), s(b[1] + half)].map((v, i) => (Number.isNaN(v) ? (i ? high : low) : Math.min(Math.max(v, low), high)))
  return at[0] < at[1] ? [at[0], at[1]] : [at[1], at[0]]
}

// clearBrushes takes away the brushes of some columns.
export function clearBrushes(...ids: (number | undefined)[]): void {
  if (!ids.some((id) => id !== undefined && brushes.value.has(id))) return
  const next = new Map(brushes.value)
  for (const id of ids) if (id !== undefined) next.delete(id)
  brushes.value = next
}

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
  find?: (x: number, y: number, reach: number) => number
  at?: Signal<At | undefined>
  picks?: boolean // false if a click means nothing
}) {
  const drag = useRef<{ from: [number, number]; box: Box; zone: number; moved: boolean; before: typeof brushes.value }>(null)
  const { left, top, right, bottom } = p
  const bx = ends(p.x, p.cx, left, right)
  const by = ends(p.y, p.cy, top, bottom)
  const box: Box | undefined = bx || by ? [bx?.[0] ?? left, by?.[0] ?? top, bx?.[1] ?? right, by?.[1] ?? bottom] : undefined

  const place = (e: PointerEvent): [number, number] => {
    const r = (e.currentTarget as SVGElement).ownerSVGElement!.getBoundingClientRect()
    return [e.clientX - r.left, e.clientY - r.top]
  }
  // zone tells which edges a place is on: bits 1 left, 2 top, 4 right, 8 bottom;
  // 16 inside; 0 elsewhere.
  const zone = (x: number, y: number, touch: boolean): number => {
    if (!box) return 0
    const d = touch ? 14 : 5
    if (x < box[0] - d || x > box[2] + d || y < box[1] - d || y > box[3] + d) return 0
    const near = [x - box[0], y - box[1], x - box[2], y - box[3]].map((v) => Math.abs(v) <= d)
    const z = (bx && near[0] ? 1 : 0) | (by && near[1] ? 2 : 0) | (bx && near[2] ? 4 : 0) | (by && near[3] ? 8 : 0)
    return z || 16
  }
  const commit = (b: Box, only: number) => {
    if (p.cx === undefined && p.cy === undefined) return
    const next = new Map(brushes.value)
    const set = (s: Scale | undefined, id: number | undefined, from: number, to: number) => {
      if (!s || id === undefined) return
      const ends = [snap(s, id, from), snap(s, id, to)].sort((a, c) => a - c)
      next.set(id, [ends[0], ends[1]])
    }
    if (only & 5) set(p.x, p.cx, b[0], b[2])
    if (only & 10) set(p.y, p.cy, b[1], b[3])
    brushes.value = next
  }
  const look = (e: PointerEvent, x: number, y: number): number => {
    const row = p.find?.(x, y, e.pointerType === 'touch' ? 24 : 12) ?? -1
    if (p.at) p.at.value = { x, y, row }
    if (p.find) hover.value = row
    return row
  }
  const leave = () => {
    if (p.at) p.at.value = undefined
    if (p.find) hover.value = -1
  }
  const down = (e: PointerEvent) => {
    if (e.button !== 0) return
    const [x, y] = place(e)
    const z = zone(x, y, e.pointerType === 'touch')
    ;(e.currentTarget as SVGElement).setPointerCapture(e.pointerId)
    drag.current = { from: [x, y], box: z ? box! : [x, y, x, y], zone: z, moved: false, before: brushes.value }
  }
  const move = (e: PointerEvent) => {
    const [px, py] = place(e)
    const d = drag.current
    if (!d) {
      const row = look(e, px, py)
      const z = zone(px, py, false)
      const cursor = ['', 'ew', 'ns', 'nwse', 'ew', '', 'nesw', '', 'ns', 'nesw', '', '', 'nwse'][z]
      ;(e.currentTarget as SVGElement).style.cursor = cursor ? cursor + '-resize' : row >= 0 && p.picks !== false ? 'pointer' : z ? 'move' : 'crosshair'
      return
    }
    const dx = px - d.from[0]
    const dy = py - d.from[1]
    if (!d.moved && Math.hypot(dx, dy) < 4) return
    if (!d.moved) leave()
    d.moved = true
    const x = Math.min(Math.max(px, left), right)
    const y = Math.min(Math.max(py, top), bottom)
    const b = d.box.slice() as Box
    if (d.zone === 0) {
      b[2] = x
      b[3] = y
      commit(b, 15)
    } else if (d.zone === 16) {
      const sx = Math.min(Math.max(dx, left - b[0]), right - b[2])
      const sy = Math.min(Math.max(dy, top - b[1]), bottom - b[3])
      commit([b[0] + sx, b[1] + sy, b[2] + sx, b[3] + sy], (d.before.has(p.cx ?? -1) ? 5 : 0) | (d.before.has(p.cy ?? -1) ? 10 : 0))
    } else {
      if (d.zone & 1) b[0] = x
      if (d.zone & 4) b[2] = x
      if (d.zone & 2) b[1] = y
      if (d.zone & 8) b[3] = y
      commit(b, d.zone)
    }
  }
  const up = (e: PointerEvent) => {
    const d = drag.current
    drag.current = null
    if (!d || d.moved) return
    const row = look(e, ...place(e))
    if (row >= 0 && p.picks !== false) pick(row, e.shiftKey)
    else if (row < 0) clearBrushes(p.cx, p.cy)
  }
  const cancel = () => {
    if (drag.current?.moved) brushes.value = drag.current.before
    drag.current = null
    leave()
  }
  // Grips are short bars on the edges that can be moved.
  const grips =
    box &&
    [bx && box[0], bx && box[2]].map((x) => (x === undefined ? '' : `M${x} ${(box[1] + box[3]) / 2 - 7}v14`)).join('') +
      [by && box[1], by && box[3]].map((y) => (y === undefined ? '' : `M${(box[0] + box[2]) / 2 - 7} ${y}h14`)).join('')
  return (
    <g class="brushing">
      {grips && <path class="grips" d={grips} />}
      {box && <rect class="brush" x={box[0]} y={box[1]} width={Math.max(box[2] - box[0], 1)} height={Math.max(box[3] - box[1], 1)} />}
      <rect
        class="sense"
        x={left}
        y={top}
        width={Math.max(right - left, 0)}
        height={Math.max(bottom - top, 0)}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={cancel}
        onPointerLeave={() => !drag.current && leave()}
        onDblClick={() => clearBrushes(p.cx, p.cy)}
      />
    </g>
  )
}
