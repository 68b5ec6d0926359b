// Where a design came from: the designs it was made from, and theirs.

import { useMemo } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import { rowEvents, trial } from './bits'
import { colouring, tint } from './colouring'
import type { At } from './drag'
import { block, Figure, Lazy } from './figure'
import { cut, plural, value } from './format'
import { RowTip } from './plot'
import { metrics, objectives, onFront, record } from './rows'
import { clamp } from './scale'
import { hover, pick, picks, rowOf, store } from './state'
import { css } from './theme'

const generations = 6
const most = 48 // designs

interface Member {
  row: number
  column: number
  line: number
  parents: Member[]
  more: boolean // parents that are not shown
}

// family finds the ancestors of a row, the nearest first, and sets them in
// columns by how many steps they are away, the longest way counting.
function family(row: number, parents: (row: number) => number[]): { members: Member[]; columns: number; lines: number } {
  const away = new Map([[row, 0]])
  for (const [r, g] of away) {
    for (const p of g < generations ? parents(r) : []) if (!away.has(p) && away.size < most) away.set(p, g + 1)
  }
  // Parents have smaller numbers than their children.
  const order = [...away.keys()].sort((a, b) => b - a)
  const depth = new Map(order.map((r) => [r, 0]))
  for (const r of order) for (const p of parents(r)) if (depth.has(p)) depth.set(p, Math.max(depth.get(p)!, depth.get(r)! + 1))
  // Where everything descends from everything the shortest way must do.
  const column = Math.max(...depth.values()) > generations + 2 ? away : depth
  const columns = Math.max(...column.values()) + 1
  const at = Array.from({ length: columns }, (_, k) => order.filter((r) => column.get(r) === k))
  const lines = Math.max(...at.map((c) => c.length))
  const known = new Map<number, Member>()
  for (const c of at) {
    // Within a column a design stands near the middle of its children.
    const by = new Map(
      c.map((r) => {
        const kids = [...known.values()].filter((k) => parents(k.row).includes(r))
        return [r, kids.reduce((s, k) => s + k.line, 0) / (kids.length || 1)]
      }),
    )
    c.sort((a, b) => by.get(a)! - by.get(b)!)
    c.forEach((row, i) => known.set(row, { row, column: column.get(row)!, line: ((i + 0.5) * lines) / c.length, parents: [], more: false }))
  }
  for (const m of known.values()) {
    const all = parents(m.row)
    m.parents = all.flatMap((p) => known.get(p) ?? [])
    m.more = m.parents.length < all.length
  }
  return { members: [...known.values()], columns, lines }
}

function Drawn({ row, at, numbers, width }: { row: number; at: ArrayLike<number>; numbers: ArrayLike<number>; width: number }) {
  const pointer = useSignal<At | undefined>(undefined)
  const { members, columns, lines } = useMemo(() => {
    const parents = (r: number) => [...new Set(Array.from({ length: at[r + 1] - at[r] }, (_, i) => rowOf(numbers[at[r] + i])))].filter((p) => p >= 0)
    return family(row, parents)
  }, [row])
  const operator = store.column(record('operator'))
  const z = store.column(metrics()[0] ?? -1)
  const by = z && colouring(z)
  const lost = members.length === 1 && at[row + 1] > at[row]
  const text = lost
    ? 'It comes from trials that this report leaves out.'
    : members.length === 1
      ? 'It was drawn afresh: it has no parents.'
      : `It comes from ${plural(members.length - 1, 'earlier design')}.`
  if (members.length === 1) return <p class="absent">{text}</p>
  const step = Math.max((width - 150) / Math.max(columns - 1, 1), 84)
  const high = clamp(300 / lines, 20, 44)
  const total = Math.max(step * (columns - 1) + 150, width)
  const height = lines * high + 12
  const x = (m: Member) => total - 60 - m.column * step
  const y = (m: Member) => m.line * high + 2
  return (
    <>
      <div class="scroll tail">
        <div class="plot" style={{ width: total + 'px', height: height + 'px' }}>
          <svg class="lineage" width={total} height={height} role="group" aria-label={text}>
            {members.map((m) =>
              m.parents.map((o) => {
                const half = (x(o) + x(m)) / 2
                const on = m.row === hover.value || o.row === hover.value
                return <path class={on ? 'on' : ''} d={`M${x(o)} ${y(o)}C${half} ${y(o)} ${half} ${y(m)} ${x(m)} ${y(m)}`} />
              }),
            )}
            {members.map((m) => {
              const { onPointerEnter, ...events } = rowEvents(m.row)
              const op = operator ? value(operator.meta, operator.x[m.row]) : '–'
              return (
                <g
                  class={m.row === row ? 'self' : ''}
                  transform={`translate(${x(m)} ${y(m)})`}
                  tabindex={0}
                  role="button"
                  aria-label={`trial ${trial(m.row)}`}
                  {...events}
                  onPointerEnter={() => {
                    onPointerEnter()
                    pointer.value = { x: x(m), y: y(m), row: m.row }
                  }}
                  onPointerLeave={() => {
                    hover.value = -1
                    pointer.value = undefined
                  }}
                  onKeyDown={(e) => e.key === 'Enter' && pick(m.row, e.shiftKey)}
                >
                  <rect x={-14} y={-10} width={60} height={20} />
                  {m.more && <path d="M-20 0h10" />}
                  <circle
                    r={m.row === row ? 7 : 5}
                    class={onFront()[m.row] ? 'on-front' : ''}
                    style={{ fill: by && Number.isFinite(z.x[m.row]) ? css(tint(by, z.x[m.row])) : 'var(--ground)' }}
                  />
                  <text class="direct" x={10} dy="0.32em">
                    {trial(m.row)}
                  </text>
                  {op !== '–' && high > 30 && (
                    <text class="direct by" x={-10} y={-8} text-anchor="end">
                      {cut(op, Math.floor((step - 50) / 6))}
                    </text>
                  )}
                </g>
              )
            })}
          </svg>
          <RowTip at={pointer} width={total} ids={[...objectives(), record('operator')]} />
        </div>
      </div>
      <p class="note">
        {text} Time runs to the right. The stronger the colour the better{z && ` in ${cut(z.meta.name, 40)}`}; orange rings are on the front, empty ones were
        not measured.
      </p>
    </>
  )
}

function Loading(p: { row: number; width: number }) {
  const at = block('lineage.at', 'u32')
  const numbers = block('lineage.number', 'i32')
  return at && numbers && store.column(0) ? <Drawn {...p} at={at} numbers={numbers} /> : null
}

export function Lineage() {
  const { front, answer, lineage } = store.view
  const picked = picks.value.at(-1)
  const row = picked ?? (front.knee >= 0 ? front.knee : (answer.picks[0]?.row ?? front.rows[0] ?? -1))
  return (
    <Figure
      id="lineage"
      wide
      title={row < 0 ? 'Where a design came from' : `Where trial ${trial(row)} came from`}
      absent={row < 0 ? 'There is no design yet.' : !lineage && 'No trial says which designs it was made from.'}
      tools={picked === undefined && <small class="muted">pick another design to see its ancestors</small>}
    >
      <Lazy height={200}>{(width) => <Loading row={row} width={width} />}</Lazy>
    </Figure>
  )
}
