// Parallel coordinates: a line for a trial, an axis for a column.

import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useRef } from 'preact/hooks'
import { useSignal, type Signal } from '@preact/signals'
import type { Loaded } from './data'
import { Canvas, Figure, useWidth } from './figure'
import { cut, number, plural, title } from './format'
import { of } from './scale'
import { hover, mask, picks, store, type Mask } from './state'
import { rgb } from './theme'
import { Brush, type At } from './drag'
import { axis, parameters, PlotTip, spread, type Axis } from './kit'
import { arrow } from './cube'
import { Lines } from './lines'
import { AxisList, chooseColumns, columnsOf, span } from './pairs'
import { kinds, onFront, scaled } from './rows'
import { ratio } from './scatter'

const most = 1500 // lines drawn of a selection
const quick = 350 // and while it changes
const context = 500 // and of the others

// defaults are the objectives, what limits hold, and the parameters that matter
// most.
function defaults(allowed: number[], params: number): number[] {
  const { goal } = store.view
  const out = [...goal.objectives, ...goal.limits].map((o) => o.column)
  out.push(...parameters('front').filter((id) => allowed.includes(id)).slice(0, params))
  return [...new Set(out)].filter((id) => allowed.includes(id))
}

// sample returns rows that are wanted, at most so many. It walks the rows in
// steps of the golden section, so that it takes them evenly and always the same
// ones first.
export function sample(n: number, limit: number, wanted: (row: number) => boolean): Set<number> {
  const out = new Set<number>()
  let step = Math.max(1, Math.round(n * 0.618034))
  const divides = (a: number, b: number): number => (b ? divides(b, a % b) : a)
  while (divides(n, step) > 1) step++
  for (let k = 0, row = 0; k < n && out.size < limit; k++, row = (row + step) % n) if (wanted(row)) out.add(row)
  return out
}

export function ParallelFigure() {
  const { columns } = store.view
  const width = useSignal(0)
  const allowed = useMemo(
    () =>
      columns.flatMap((c, id) => {
        const varies = c.kind === 'number' ? c.min !== undefined && c.min !== c.max : (c.values?.length ?? 0) > 1
        return id > 0 && c.kind !== 'text' && varies ? [id] : []
      }),
    [columns],
  )
  const small = width.value < 640
  const ids = columnsOf('parallel.columns', defaults(allowed, small ? 4 : 8).slice(0, small ? 5 : 14), allowed)
  const kind = kinds()
  const loaded = kind && store.all(ids)?.map((c) => scaled(c))
  if (!kind?.some((k) => k > 0) || !allowed.length) {
    return (
      <Figure id="parallel" title="Designs as lines" wide missing={store.view.missing.front === undefined ? undefined : 'front'}>
        <p class="absent">{kind ? 'No trial was measured.' : ''}</p>
      </Figure>
    )
  }
  return (
    <Figure
      id="parallel"
      title="Designs as lines"
      wide
      tools={<AxisList ids={ids} allowed={allowed} least={2} most={20} on={(to) => chooseColumns('parallel.columns', to)} />}
      note={<Count kind={kind} />}
    >
      <Measured width={width}>{width.value > 0 && loaded && <Parallel columns={loaded} kind={kind} width={width.value} />}</Measured>
    </Figure>
  )
}

// Measured tells how wide it is.
function Measured(p: { width: Signal<number>; children: ComponentChildren }) {
  const [ref, width] = useWidth<HTMLDivElement>()
  useEffect(() => {
    p.width.value = width
  }, [width])
  return <div ref={ref}>{p.children}</div>
}

function Count(p: { kind: Uint8Array }) {
  const m = mask.value
  let n = 0
  for (let r = 0; r < p.kind.length; r++) if (p.kind[r] && (m.all || m.bits[r])) n++
  return (
    <>
      {n > most && `${number(most)} of `}
      {plural(n, m.all ? 'measured trial' : 'selected trial')} drawn, the front on top.
      <span class="screen"> Drag along an axis to select, drag its name to move it.</span>
    </>
  )
}

function Parallel(p: { columns: Loaded[]; kind: Uint8Array; width: number }) {
  const { columns, kind, width } = p
  const at = useSignal<At | undefined>(undefined)
  const calm = useSignal(0)
  const moving = useRef(-1) // the column whose axis is dragged
  const n = columns.length
  const top = 42
  const height = width < 640 ? 360 : 420
  const bottom = height - 34
  const ids = columns.map((c) => c.id)
  const left = 44
  const gap = n > 1 ? (width - left - 40) / (n - 1) : 0
  const model = useMemo(() => {
    const k = ratio()
    const xs = columns.map((_, i) => Math.round((left + i * gap) * k) / k)
    const scales = columns.map((c): Axis => (c.meta.part === 'param' ? axis(c, bottom, top) : Object.assign(of(c, bottom, top, span(c)), { step: 0 })))
    const none = bottom + 20
    // Values that many rows share are spread, so that one sees how many they are.
    const y = (i: number, row: number) => {
      const v = scales[i](columns[i].x[row]) + scales[i].step * 0.55 * spread(row, i)
      return v === v ? Math.min(Math.max(v, top), bottom) : none + 5 * spread(row, i)
    }
    const gaps = columns.map((c) => c.x.some((v, row) => v !== v && kind[row] > 0))
    const device = xs.map((x) => Math.round(x * k))
    const lines = (thick: number) => new Lines(Math.round(width * k), Math.round(height * k), device, (axis, row) => y(axis, row) * k, thick * k)
    const [base, some, best] = [lines(1), lines(1), lines(1.6)]
    const front = onFront()
    const shown = (row: number) => kind[row] > 0 && !front[row]
    const members = sample(kind.length, 600, (row) => front[row] === 1 && kind[row] > 0)
    base.show(sample(kind.length, context, shown))
    let drawn: number[] = [] // for find
    let seen: Mask | undefined
    let when = 0
    let timer = 0
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      void calm.value
      // A selection that changes is drawn with fewer lines, and with all once it
      // rests.
      const now = performance.now()
      const hurry = m !== seen && now - when < 200
      if (m !== seen) when = now
      seen = m
      clearTimeout(timer)
      if (hurry) timer = window.setTimeout(() => (calm.value = now), 160)
      const limit = hurry ? quick : most
      const put = (l: Lines, name: string, alpha: number) => g.drawImage(l.paint(rgb(name), [0, 0, 0], alpha), 0, 0, width, height)
      if (!m.all) put(base, '--point', 0.12)
      const rows = sample(kind.length, limit, m.all ? shown : (row) => m.bits[row] === 1 && shown(row))
      const chosen = m.all ? members : new Set([...members].filter((row) => m.bits[row]))
      some.show(rows)
      best.show(chosen)
      put(some, '--selected', Math.min(Math.max(6 / Math.sqrt(rows.size), 0.1), 0.7))
      put(best, '--front', Math.min(Math.max(4 / Math.sqrt(chosen.size), 0.15), 0.95))
      drawn = [...chosen, ...rows]
    }
    const find = (px: number, py: number, reach: number) => {
      const i = Math.min(Math.max(xs.findIndex((x) => x > px) - 1, 0), n - 2)
      const j = px >= xs[n - 1] ? n - 2 : i
      if (n < 2) return -1
      const t = Math.min(Math.max((px - xs[j]) / (xs[j + 1] - xs[j]), 0), 1)
      let near = reach * 0.7
      let row = -1
      for (const r of drawn) {
        const d = Math.abs(y(j, r) * (1 - t) + y(j + 1, r) * t - py)
        if (d < near) {
          near = d
          row = r
        }
      }
      return row
    }
    return { xs, scales, none, gaps, y, draw, find }
  }, [...columns, kind, width])

  const move = (id: number, to: number) => {
    const next = ids.filter((i) => i !== id)
    next.splice(Math.min(Math.max(to, 0), n - 1), 0, id)
    if (next.join() !== ids.join()) chooseColumns('parallel.columns', next)
  }
  return (
    <div class="plot" style={{ height: height + 'px' }}>
      <Canvas width={width} height={height} draw={model.draw} label={`parallel coordinates of ${columns.map((c) => c.meta.name).join(', ')}`} />
      <svg class="over parallel" width={width} height={height}>
        <LineMarks y={model.y} xs={model.xs} />
        <Brush left={0} right={width} top={top - 6} bottom={model.none + 8} find={model.find} at={at} />
        {columns.map((c, i) => {
          const x = model.xs[i]
          const few = Math.max(3, Math.floor((gap - 12) / 6.6))
          return (
            <g key={c.id}>
              <line class="axis" x1={x} x2={x} y1={top} y2={bottom} />
              {model.scales[i].ticks(c.meta.kind === 'number' ? 6 : 20).map((t) => (
                <text key={t.x} class="tick halo" x={x - 5} y={model.scales[i](t.x)} dy="0.32em" text-anchor="end">
                  {cut(t.text, i === 0 ? 7 : few)}
                </text>
              ))}
              {model.gaps[i] && (
                <text class="tick halo" x={x - 5} y={model.none} dy="0.32em" text-anchor="end">
                  –
                </text>
              )}
              <Brush left={x - 10} right={x + 10} top={top} bottom={bottom} y={model.scales[i]} cy={c.id} find={model.find} at={at} />
              <text
                class="name"
                x={i === 0 ? 0 : i === n - 1 ? width : x}
                y={i % 2 ? 12 : 28}
                text-anchor={i === 0 ? 'start' : i === n - 1 ? 'end' : 'middle'}
                tabindex={0}
                aria-label={c.meta.name + ', arrow keys move the axis'}
                onPointerDown={(e) => {
                  e.currentTarget.setPointerCapture(e.pointerId)
                  moving.current = c.id
                }}
                onPointerMove={(e) => {
                  const box = e.currentTarget.ownerSVGElement!.getBoundingClientRect()
                  if (moving.current === c.id && gap) move(c.id, Math.round((e.clientX - box.left - left) / gap))
                }}
                onPointerUp={() => (moving.current = -1)}
                onPointerCancel={() => (moving.current = -1)}
                onKeyDown={(e) => {
                  const by = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0
                  if (!by) return
                  e.preventDefault()
                  move(c.id, i + by)
                }}
              >
                <title>{title(c.meta)}</title>
                {cut(title(c.meta), Math.max(5, Math.floor((2 * gap - 20) / 6.6))) + arrow(c.id)}
              </text>
            </g>
          )
        })}
      </svg>
      <PlotTip at={at} width={width} ids={ids.slice(0, 12)} />
    </div>
  )
}

// LineMarks draws the picked rows and the one under the pointer.
function LineMarks(p: { y: (axis: number, row: number) => number; xs: number[] }) {
  const line = (row: number, name: string) =>
    row >= 0 && <path key={name + row} class={name} d={'M' + p.xs.map((x, k) => `${x} ${p.y(k, row).toFixed(1)}`).join('L')} />
  return (
    <g class="marks">
      {picks.value.map((row) => line(row, 'picked'))}
      {line(hover.value, 'hovered')}
    </g>
  )
}

