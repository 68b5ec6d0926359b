// Parallel coordinates: a line for a trial, an axis for a column.

import { useMemo, useRef } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import { better } from './bits'
import { ratio, spread } from './cloud'
import type { Loaded } from './data'
import { Brush, place, type At } from './drag'
import { AxisList, Canvas, chooseColumns, columnsOf, Figure, Lazy, narrow } from './figure'
import { number, plural, title } from './format'
import { Lines } from './lines'
import { arrow, line, Marks, RowTip, Ticks } from './plot'
import { axis, kinds, limited, objectives, onFront, parameters, scaled, those } from './rows'
import { clamp } from './scale'
import { mask, store, type Mask } from './state'
import { rgb } from './theme'

const most = 1500 // lines drawn of a selection
const quick = 350 // and while it changes
const context = 500 // and of the others

// sample returns rows that are wanted, at most so many. It walks the rows in
// steps of the golden section, so that it takes them evenly and always the same
// ones first.
function sample(n: number, limit: number, wanted: (row: number) => unknown): Set<number> {
  const out = new Set<number>()
  let step = Math.max(1, Math.round(n * 0.618034))
  const divides = (a: number, b: number): number => (b ? divides(b, a % b) : a)
  while (divides(n, step) > 1) step++
  for (let k = 0, row = 0; k < n && out.size < limit; k++, row = (row + step) % n) if (wanted(row)) out.add(row)
  return out
}

export function ParallelFigure() {
  const allowed = those((c, id) => id > 0 && c.kind !== 'text' && (c.kind === 'number' ? c.min !== c.max : c.values!.length > 1))
  // What counts, what limits hold, and the parameters that matter most.
  const [few, all] = narrow.value ? [4, 5] : [8, 14]
  const params = parameters('front').filter((id) => allowed.includes(id))
  const usual = [...objectives(), ...limited()].filter((id) => allowed.includes(id))
  const ids = columnsOf('parallel.columns', [...usual, ...params.slice(0, few)].slice(0, all), allowed)
  const kind = kinds()
  const loaded = kind && store.all(ids)?.map(scaled)
  return (
    <Figure
      id="parallel"
      title="Designs as lines"
      wide
      absent={kind && !kind.some(Boolean) ? 'No trial was measured.' : ids.length < 2 && 'This takes two columns in which trials differ.'}
      tools={<AxisList of="parallel.columns" ids={ids} allowed={allowed} most={20} />}
      note={kind && <Count kind={kind} />}
    >
      <Lazy height={420}>{(width) => loaded && <Parallel columns={loaded} kind={kind} width={width} />}</Lazy>
    </Figure>
  )
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

function Parallel({ columns, kind, width }: { columns: Loaded[]; kind: Uint8Array; width: number }) {
  const at = useSignal<At | undefined>(undefined)
  const calm = useSignal(0)
  const moving = useRef(-1) // the column whose axis is dragged
  const n = columns.length
  const top = 42
  const height = width < 640 ? 360 : 420
  const bottom = height - 34
  const none = bottom + 20
  const ids = columns.map((c) => c.id)
  const left = 44
  const gap = (width - left - 40) / (n - 1)
  const model = useMemo(() => {
    const k = ratio()
    const device = columns.map((_, i) => Math.round((left + i * gap) * k))
    const xs = device.map((x) => x / k)
    const scales = columns.map((c) => axis(c, bottom, top))
    // Values that many rows share are spread, so that one sees how many they are.
    const y = (i: number, row: number) => {
      const v = scales[i](columns[i].x[row]) + (scales[i].step ?? 0) * 0.55 * spread(row, i)
      return v === v ? clamp(v, top, bottom) : none + 5 * spread(row, i)
    }
    const gaps = columns.map((c) => c.x.some((v, row) => v !== v && kind[row] > 0))
    const lines = (thick: number) => new Lines({ width, height, left, top, right: width, bottom }, device, (axis, row) => y(axis, row) * k, thick * k)
    const [base, some, best] = [lines(1), lines(1), lines(1.6)]
    const front = onFront()
    const shown = (row: number) => kind[row] && !front[row]
    const members = sample(kind.length, 600, (row) => front[row] && kind[row])
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
      const put = (l: Lines, name: string, alpha: number) => g.drawImage(l.paint(rgb(name), [0, 0, 0], alpha), 0, 0, width, height)
      if (!m.all) put(base, '--point', 0.12)
      const rows = sample(kind.length, hurry ? quick : most, (row) => (m.all || m.bits[row]) && shown(row))
      const chosen = new Set([...members].filter((row) => m.all || m.bits[row]))
      some.show(rows)
      best.show(chosen)
      put(some, '--selected', clamp(6 / Math.sqrt(rows.size), 0.1, 0.7))
      put(best, '--front', clamp(4 / Math.sqrt(chosen.size), 0.15, 0.95))
      drawn = [...chosen, ...rows]
    }
    const find = (px: number, py: number, reach: number) => {
      const j = clamp(Math.floor((px - left) / gap), 0, n - 2)
      const t = clamp((px - xs[j]) / gap, 0, 1)
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
    const mark = (row: number, name: string) => <path class={name} d={line(xs.map((x, i) => [x, y(i, row)]))} />
    return { xs, scales, gaps, mark, draw, find }
  }, [...columns, kind, width])

  const move = (id: number, to: number) => {
    const next = ids.filter((i) => i !== id)
    next.splice(clamp(to, 0, n - 1), 0, id)
    if (next.join() !== ids.join()) chooseColumns('parallel.columns', next)
  }
  const few = Math.max(3, Math.floor((gap - 12) / 6.6))
  // Of a long name the end tells most.
  const end = (s: string, most: number) => (s.length > most ? '…' + s.slice(1 - most) : s)
  return (
    <div class="plot" style={{ height: height + 'px' }}>
      <Canvas width={width} height={height} draw={model.draw} label={`parallel coordinates of ${columns.map((c) => c.meta.name).join(', ')}`} />
      <svg class="over parallel" width={width} height={height}>
        <Marks mark={model.mark} />
        <Brush left={0} right={width} top={top - 6} bottom={none + 8} find={model.find} at={at} />
        {columns.map((c, i) => {
          const x = model.xs[i]
          return (
            <g key={c.id}>
              <path class="axis" d={`M${x} ${top}V${bottom}`} />
              <Ticks of={model.scales[i]} about={c.meta.kind === 'number' ? 6 : 20} x={x - 5} most={i ? few : 7} />
              {model.gaps[i] && (
                <text class="tick" x={x - 8} y={none + 3}>
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
                onPointerMove={(e) => moving.current === c.id && move(c.id, Math.round((place(e)[0] - left) / gap))}
                onLostPointerCapture={() => (moving.current = -1)}
                onKeyDown={(e) => {
                  if (!arrow(e)) return
                  e.preventDefault()
                  move(c.id, i + arrow(e))
                }}
              >
                <title>{title(c.meta)}</title>
                {end(title(c.meta), Math.max(5, Math.floor((2 * gap - 20) / 7.4))) + better(c.meta)}
              </text>
            </g>
          )
        })}
      </svg>
      <RowTip at={at} width={width} ids={ids.slice(0, 12)} />
    </div>
  )
}
