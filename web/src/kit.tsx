// What the plots of the Why, How and Designs sections share: axes that place
// every kind of column, the pointer, clouds of points, small marks.

import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import { signal, type Signal } from '@preact/signals'
import { decode, type Column, type Loaded, type State } from './data'
import { Brush, clearBrushes, type At } from './drag'
import { Axes, Canvas, useVisible, useWidth } from './figure'
import { number, plural, value } from './format'
import { Field } from './field'
import { cloud, type Cloud, type RGB } from './points'
import { kinds, room, spans } from './rows'
import { Dots, dotSize, drawFront, finder, Marks, ratio, spot, type Frame } from './scatter'
import { category, of, type Scale } from './scale'
import { hover, mask, pick, store } from './state'
import { rgb } from './theme'
import { RowTip } from './tip'
import './kit.css'

// An Axis is the scale of a column. Columns of few values have them at equal
// distances, step pixels wide.
export interface Axis extends Scale {
  levels?: number[]
  step: number
}

// levels are the values of a column if there are few, in order.
export function levels(c: Column): number[] | undefined {
  const most = 24
  if (c.kind === 'text') return undefined
  const k = c.values?.length ?? 0
  if (c.kind === 'category') return k <= most ? c.values!.map((_, i) => i) : undefined
  if (k > 0) return k <= most ? [...(c.values as number[])].sort((a, b) => a - b) : undefined
  const low = c.low ?? c.min
  const high = c.high ?? c.max
  if (!c.whole || c.log || low === undefined || high === undefined || high - low >= 16) return undefined
  return Array.from({ length: high - low + 1 }, (_, i) => low + i)
}

// axis places a column between two pixels: of a metric most of its values, of
// others all.
export function axis(c: Loaded, from: number, to: number): Axis {
  const l = levels(c.meta)
  if (!l) {
    const most = c.meta.part === 'metric' ? spans(c).most : undefined
    return Object.assign(of(c, from, to, most && room(most, c.meta.log, 0.03)), { step: 0 })
  }
  const even = category(
    l.map((x) => value(c.meta, x)),
    from,
    to,
  )
  const step = Math.abs(to - from) / l.length
  if (c.meta.kind !== 'number') return Object.assign(even, { levels: l, step })
  // Between two levels a number stands in proportion.
  const index = new Map(l.map((x, i) => [x, i]))
  const place = (x: number) => {
    const i = index.get(x)
    if (i !== undefined || Number.isNaN(x)) return even(i ?? NaN)
    const k = Math.min(
      Math.max(
        l.findIndex((v) => v > x),
        1,
      ),
      l.length - 1,
    )
    return l.length < 2 ? even(0) : even(k - 1 + (x - l[k - 1]) / (l[k] - l[k - 1]))
  }
  const invert = (p: number) => {
    const i = even.invert(p)
    const k = Math.min(Math.max(Math.floor(i), 0), l.length - 2)
    return l.length < 2 ? l[0] + i : l[k] + (i - k) * (l[k + 1] - l[k])
  }
  const ticks = (about: number) => even.ticks(about).map(({ x, text }) => ({ x: l[x], text }))
  return Object.assign(place, { low: l[0], high: l[l.length - 1], log: false, invert, ticks, levels: l, step })
}

interface PlotProps {
  frame: Frame
  x?: Scale
  y?: Scale
  xTitle?: string
  yTitle?: string
  label: string
  draw: (g: CanvasRenderingContext2D, scale: number) => void
  find?: (x: number, y: number, reach: number) => number // the row at a place, or -1
  cloud?: Cloud // where rows stand
  cx?: number // the columns that dragging selects
  cy?: number
  tip?: number[] // the columns that the tooltip shows
  grid?: boolean
  children?: ComponentChildren
}

// Plot is a canvas under axes that follows the pointer: moving hovers, a click
// picks, dragging selects. The arrow keys walk along the front.
export function Plot(p: PlotProps) {
  const at = useMemo(() => signal<At | undefined>(undefined), [])
  const key = (e: KeyboardEvent) => {
    const c = p.cloud
    const by = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0
    if (by && c) {
      const rows = store.view.front.rows.filter((r) => c.x[r] >= 0).sort((a, b) => c.x[a] - c.x[b])
      const k = rows.indexOf(hover.value)
      const row = rows.at(k < 0 && by < 0 ? -1 : (k + by) % rows.length)
      if (row === undefined) return
      const [x, y] = spot(c, row)!
      hover.value = row
      at.value = { x, y, row }
    } else if (e.key === 'Enter' && hover.value >= 0) pick(hover.value, e.shiftKey)
    else if (e.key === 'Escape') clearBrushes(p.cx, p.cy)
    else return
    e.preventDefault()
  }
  const { width, height } = p.frame
  return (
    <div class="plot" style={{ height: height + 'px' }}>
      <svg width={width} height={height} aria-hidden="true">
        <Axes {...p.frame} x={p.x} y={p.y} xTitle={p.xTitle} yTitle={p.yTitle} grid={p.grid} />
      </svg>
      <Canvas width={width} height={height} draw={p.draw} label={p.label} />
      <svg class="over" width={width} height={height} tabindex={p.cloud ? 0 : undefined} role="group" aria-label={p.label} onKeyDown={key}>
        {p.children}
        {p.cloud && <Marks cloud={p.cloud} />}
        <Brush {...p.frame} x={p.x} y={p.y} cx={p.cx} cy={p.cy} find={p.find} at={at} />
      </svg>
      <PlotTip at={at} width={width} ids={p.tip ?? []} />
    </div>
  )
}

export function PlotTip(p: { at: Signal<At | undefined>; width: number; ids: number[] }) {
  const at = p.at.value
  return at && at.row >= 0 ? <RowTip x={at.x} y={at.y + 12} width={p.width} row={at.row} ids={p.ids} /> : null
}

// spread is where in the width of its level a row is drawn, always the same.
export const spread = (row: number, salt: number) => ((Math.imul(row + salt, 2654435761) >>> 8) & 1023) / 1023 - 0.5

// useDots draws the rows that were measured as points in two columns.
export function useDots(x: Loaded, y: Loaded, xs: Axis, ys: Axis, frame: Frame) {
  const kind = kinds()
  return useMemo(() => {
    const k = ratio()
    const c = cloud(x.x.length, Math.round(frame.width * k), Math.round(frame.height * k))
    let shown = 0
    for (let r = 0; r < x.x.length; r++) {
      const px = xs(x.x[r]) + spread(r, 1) * xs.step * 0.6
      const py = ys(y.x[r]) + spread(r, 7) * ys.step * 0.6
      if (!kind?.[r] || !(px >= frame.left && px <= frame.right && py >= frame.top && py <= frame.bottom)) continue
      c.x[r] = px * k
      c.y[r] = py * k
      shown++
    }
    const dots = new Dots(c, kind ?? new Uint8Array(x.x.length), dotSize(shown, true))
    let still: Field | undefined
    // On a coloured ground points are small and dark, and not so many that they
    // would cover it.
    const draw = (g: CanvasRenderingContext2D, ground?: boolean) => {
      const m = mask.value
      if (!m.all || !ground) dots.draw(g, m, frame)
      else if (shown < 5000) {
        still ??= new Field(c, kind ?? new Uint8Array(x.x.length), k * 2)
        still.follow()
        const ink = rgb('--ink')
        g.drawImage(still.paint(ink, ink, 0.25), 0, 0, frame.width, frame.height)
      }
      drawFront(g, c, m, store.view.front.rows.length > 80 ? 2 : 3)
    }
    return { cloud: c, draw: (g: CanvasRenderingContext2D) => draw(g), over: (g: CanvasRenderingContext2D) => draw(g, true), find: finder(c) }
  }, [x, y, xs, ys, frame.width, frame.height, kind])
}

let turn = 0 // of the plots that wait for time, one after the other

// Lazy shows what fits its width once it is near the screen, or when there is
// time.
export function Lazy(p: { height: number; children: (width: number) => ComponentChildren }) {
  const [ref, width] = useWidth<HTMLDivElement>()
  const near = useVisible(ref)
  const [time, setTime] = useState(false)
  useEffect(() => {
    const t = setTimeout(() => setTime(true), 2000 + 120 * turn++)
    return () => clearTimeout(t)
  }, [])
  const seen = useRef(false)
  seen.current ||= near || time
  const shown = seen.current && width > 0 && p.children(width)
  return (
    <div ref={ref} style={shown ? undefined : { minHeight: p.height + 'px' }}>
      {shown}
    </div>
  )
}

// useBlock decodes a block once.
export function useBlock(name: string, encoding: Column['encoding']) {
  const b = store.block(name)
  return useMemo(() => b && decode(b, encoding), [b])
}

// States are shown in the same colours everywhere.
export const stateColours: Record<State, string> = {
  complete: '--accent',
  pruned: '--cat-3',
  infeasible: '--faint',
  failed: '--bad',
  cached: '--good',
  running: '--pick',
  waiting: '--line',
}

export function Swatches(p: { items: { name: string; colour: string; count?: number }[] }) {
  return (
    <div class="swatches">
      {p.items.map((s) => (
        <span key={s.name}>
          <i style={{ background: `var(${s.colour})` }} />
          {s.name} {s.count !== undefined && number(s.count)}
        </span>
      ))}
    </div>
  )
}

// Bar is a cell with a share as a bar, at full length if it is most, and a text
// beside it.
export function Bar(p: { share: number; most?: number; colour?: string; text?: string; title?: string; children?: ComponentChildren }) {
  return (
    <td class="bar" title={p.title}>
      <i
        style={{
          width: `calc(${Math.min(p.share / (p.most || 1), 1) || 0} * (100% - ${p.text === undefined ? 0 : 58}px))`,
          background: `var(${p.colour ?? '--accent'})`,
        }}
      />
      {p.text !== undefined && <small>{p.text}</small>}
      {p.children}
    </td>
  )
}

// useFew gives the rows that a list shows at first, and a button for all.
export function useFew<T>(all: T[], few: number, noun: string): [T[], ComponentChildren] {
  const [whole, setWhole] = useState(false)
  return [
    whole ? all : all.slice(0, few),
    all.length > few && (
      <button class="plain tools" aria-expanded={whole} onClick={() => setWhole(!whole)}>
        {whole ? 'Fewer' : `All ${plural(all.length, noun)}`}
      </button>
    ),
  ]
}

// Head is the first line of a table.
export function Head(p: { titles: (string | false | undefined)[] }) {
  return (
    <thead>
      <tr>
        {p.titles.map(
          (t) =>
            t !== undefined &&
            t !== false && (
              <th key={t} scope="col">
                {t}
              </th>
            ),
        )}
      </tr>
    </thead>
  )
}

// record is the column of something about the trials themselves, or -1.
export function record(name: string): number {
  return store.view.columns.findIndex((c) => c.part === 'record' && c.name === name)
}

// metrics are the columns to look at, objectives first.
export function metrics(): number[] {
  const { columns, goal } = store.view
  const first = goal.objectives.map((o) => o.column).filter((c) => c >= 0)
  return [...first, ...columns.flatMap((c, i) => (c.part === 'metric' && c.kind === 'number' && !first.includes(i) ? [i] : []))]
}

// matter gives the shares of columns for a target, or the largest for any.
export function matter(target?: string): Map<number, number> {
  const out = new Map<number, number>()
  const all = store.view.importance ?? []
  const one = all.filter((i) => i.target === target)
  for (const i of one.length ? one : all) for (const s of i.shares) out.set(s.column, Math.max(out.get(s.column) ?? 0, s.share))
  return out
}

// parameters are the columns of the design that can be drawn, what matters most
// for a target first.
export function parameters(target?: string): number[] {
  const by = matter(target)
  const ids = store.view.columns.flatMap((c, i) => (c.part === 'param' && c.kind !== 'text' ? [i] : []))
  return ids.sort((a, b) => (by.get(b) ?? -1) - (by.get(a) ?? -1) || a - b)
}

// bright says whether dark text reads better on a colour.
export const bright = ([r, g, b]: RGB) => r * 0.3 + g * 0.59 + b * 0.11 > 140

// chosen is the column that a choice names, if it is one of ids, or another.
export function chosen(name: string | undefined, ids: number[], other = -1): number {
  const id = name === undefined ? -1 : store.id(name)
  return ids.includes(id) ? id : other
}
