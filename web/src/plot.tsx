// A plot: a canvas for many marks under an SVG for few, with axes, that follows
// the pointer.

import type { ComponentChildren, VNode } from 'preact'
import { useMemo } from 'preact/hooks'
import { signal, type Signal } from '@preact/signals'
import { trial } from './bits'
import { spot, type Cloud, type Find, type Frame } from './cloud'
import { Brush, type At } from './drag'
import { Canvas, type Draw } from './figure'
import { cut, exact } from './format'
import { frontPlace, has, kinds, roles, short } from './rows'
import type { Scale } from './scale'
import { brush, hover, pick, picks, store } from './state'

const about = (n: number) => Math.max(3, Math.floor(n))

// Ticks are the numbers along an axis: down at x, or across at y.
export function Ticks(p: { of: Scale; about: number; x?: number; y?: number; most?: number }) {
  const { of: s, x, y } = p
  return (
    <>
      {s.ticks(about(p.about)).map((t) => (
        <text class="tick" x={x ?? s(t.x)} y={y ?? s(t.x)} dy={y === undefined ? '0.32em' : 0} text-anchor={y === undefined ? 'end' : 'middle'}>
          {cut(t.text, p.most ?? 99)}
        </text>
      ))}
    </>
  )
}

// Axes draws the axes of a plot whose scales are in pixels of the frame.
export function Axes(p: { frame: Frame; x?: Scale; y?: Scale; xTitle?: string; yTitle?: string; grid?: boolean }) {
  const { left, top, right, bottom } = p.frame
  const [across, up] = [(right - left) / 80, (bottom - top) / 48]
  const lines = (s: Scale, n: number, d: (at: number) => string) => s.ticks(about(n)).map((t) => d(s(t.x)))
  return (
    <g class="axes">
      {p.grid !== false && (
        <path
          class="grid"
          d={[...(p.x ? lines(p.x, across, (x) => `M${x} ${top}V${bottom}`) : []), ...(p.y ? lines(p.y, up, (y) => `M${left} ${y}H${right}`) : [])].join('')}
        />
      )}
      <path class="axis" d={`M${left} ${top}V${bottom}H${right}`} />
      {p.x && <Ticks of={p.x} about={across} y={bottom + 16} />}
      {p.y && <Ticks of={p.y} about={up} x={left - 6} />}
      <text class="title" x={(left + right) / 2} y={bottom + 34} text-anchor="middle">
        {p.xTitle}
      </text>
      <text class="title" x={4} y={top - 10}>
        {p.yTitle}
      </text>
    </g>
  )
}

export type Mark = (row: number, name: string) => VNode | false | undefined

// dot marks where a row stands in a cloud.
export const dot =
  (c: Cloud): Mark =>
  (row, name) => {
    const at = spot(c, row)
    return at && <circle class={name} cx={at[0]} cy={at[1]} r={6.5} />
  }

// line is the path through some places.
export const line = (places: [number, number][]) => 'M' + places.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join('L')

// Marks marks the picked rows and the one under the pointer.
export function Marks(p: { mark: Mark }) {
  return (
    <g class="marks">
      {picks.value.map((row) => p.mark(row, 'picked'))}
      {hover.value >= 0 && p.mark(hover.value, 'hovered')}
    </g>
  )
}

// Plot hovers where the pointer moves, picks what is clicked, and selects what is
// dragged over. The arrow keys walk along the front.
export function Plot(p: {
  frame: Frame
  x?: Scale
  y?: Scale
  xTitle?: string
  yTitle?: string
  label: string // for those who cannot see it
  draw: Draw
  find?: Find
  cloud?: Cloud // where rows stand
  mark?: Mark // of a row, if not a dot
  cx?: number // the columns that dragging selects
  cy?: number
  tip?: number[] // the columns that the tooltip shows
  grid?: boolean
  children?: ComponentChildren
}) {
  const at = useMemo(() => signal<At | undefined>(undefined), [])
  const { cloud: c, frame: f, mark = c && dot(c) } = p
  const key = (e: KeyboardEvent) => {
    const by = arrow(e)
    if (by && c) {
      const rows = store.view.front.rows.filter((r) => c.x[r] >= 0).sort((a, b) => c.x[a] - c.x[b])
      const k = rows.indexOf(hover.value)
      const row = rows.at(k < 0 && by < 0 ? -1 : (k + by) % rows.length)
      if (row === undefined) return
      const [x, y] = spot(c, row)!
      hover.value = row
      at.value = { x, y, row }
    } else if (e.key === 'Enter' && hover.value >= 0) pick(hover.value, e.shiftKey)
    else if (e.key === 'Escape') brush([p.cx ?? -1, undefined], [p.cy ?? -1, undefined])
    else return
    e.preventDefault()
  }
  const { width, height } = f
  return (
    <div class="plot" style={{ height: height + 'px' }}>
      <svg width={width} height={height} aria-hidden="true">
        <Axes {...p} />
      </svg>
      <Canvas width={width} height={height} draw={p.draw} label={p.label} />
      <svg class="over" width={width} height={height} tabindex={c ? 0 : undefined} role="group" aria-label={p.label} onKeyDown={key}>
        {p.children}
        {mark && <Marks mark={mark} />}
        <Brush {...f} x={p.x} y={p.y} cx={p.cx} cy={p.cy} find={p.find} at={at} />
      </svg>
      <RowTip at={at} width={width} ids={p.tip ?? []} />
    </div>
  )
}

// arrow is 1 for the right arrow key, -1 for the left one.
export const arrow = (e: KeyboardEvent) => Number(e.key === 'ArrowRight') - Number(e.key === 'ArrowLeft')

// Tip stands beside a place of its plot, on the side where there is room. The
// plot must have class plot (position: relative).
export function Tip(p: { x: number; y: number; width: number; children: ComponentChildren }) {
  const left = p.x < p.width / 2
  return (
    <div class="tip" role="status" style={{ top: p.y + 'px', [left ? 'left' : 'right']: (left ? p.x : p.width - p.x) + 12 + 'px' }}>
      {p.children}
    </div>
  )
}

// RowTip tells of the row under the pointer: what it is, and some of its values.
export function RowTip(p: { at: Signal<At | undefined>; width: number; ids: number[] }) {
  const { x, y, row } = p.at.value ?? { row: -1, x: 0, y: 0 }
  if (row < 0) return null
  const what = [roles(row), frontPlace(row) >= 0 && 'on the front', kinds()?.[row] === 2 && 'misses a limit'].filter(Boolean)
  return (
    <Tip x={x} y={y + 12} width={p.width}>
      <b>trial {trial(row)}</b> <i>{what.join(', ')}</i>
      <p>{cut(short(row), 80)}</p>
      <table>
        {[...new Set(p.ids)].map((id) => {
          const c = id > 0 && store.column(id)
          return (
            c &&
            has(c, row) && (
              <tr>
                <th>{cut(c.meta.name, 32)}</th>
                <td>{cut(exact(c.meta, c.x[row]), 40)}</td>
              </tr>
            )
          )
        })}
      </table>
    </Tip>
  )
}
