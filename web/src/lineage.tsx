// Where a design came from: the designs it was made from, and theirs.

import { useMemo } from 'preact/hooks'
import { hover, pick, picks, rowOf, store } from './state'
import { cut, number, plural } from './format'
import { Figure } from './figure'
import { drawing, rowEvents, trial } from './bits'
import { colouring, share } from './colouring'
import { Lazy, metrics, record, useBlock } from './kit'
import { css, ramp } from './theme'
import { onFront } from './rows'
import { RowTip } from './tip'

const generations = 6
const most = 48 // designs

interface Family {
  nodes: { row: number; column: number; line: number; parents: number[]; cut: boolean }[] // the design itself first
  columns: number
  lines: number
}

// family finds the ancestors of a row, the nearest first, and sets them in
// columns by how many steps they are away, the longest way counting.
function family(row: number, parents: (row: number) => number[]): Family {
  const rows = [row]
  const level = new Map([[row, 0]])
  for (let i = 0; i < rows.length; i++) {
    const g = level.get(rows[i])!
    if (g === generations) continue
    for (const p of parents(rows[i])) {
      if (level.has(p) || rows.length >= most) continue
      level.set(p, g + 1)
      rows.push(p)
    }
  }
  // Parents have smaller numbers than their children.
  const order = [...rows].sort((a, b) => b - a)
  const depth = new Map(order.map((r) => [r, 0]))
  for (const r of order) for (const p of parents(r)) if (depth.has(p)) depth.set(p, Math.max(depth.get(p)!, depth.get(r)! + 1))
  // Where everything descends from everything the shortest way must do.
  if (Math.max(...depth.values()) > generations + 2) level.forEach((g, r) => depth.set(r, g))
  const columns = Math.max(...depth.values()) + 1
  const at: number[][] = Array.from({ length: columns }, () => [])
  for (const r of rows) at[depth.get(r)!].push(r)
  // Within a column a design stands near the middle of its children.
  const line = new Map<number, number>()
  const lines = Math.max(...at.map((c) => c.length))
  for (const c of at) {
    const wish = (r: number) => {
      const kids = order.filter((k) => line.has(k) && parents(k).includes(r))
      return kids.reduce((s, k) => s + line.get(k)!, 0) / (kids.length || 1)
    }
    const by = new Map(c.map((r) => [r, wish(r)]))
    c.sort((a, b) => by.get(a)! - by.get(b)!)
    c.forEach((r, i) => line.set(r, ((i + 0.5) * lines) / c.length))
  }
  return {
    nodes: rows.map((r) => ({
      row: r,
      column: depth.get(r)!,
      line: line.get(r)!,
      parents: parents(r).filter((p) => depth.has(p)),
      cut: parents(r).some((p) => !depth.has(p)),
    })),
    columns,
    lines,
  }
}

// descendants counts the designs made from a row, and from those.
function descendants(row: number, kids: { at: Uint32Array; rows: Uint32Array }): [number, number] {
  const seen = new Set([row])
  const queue = [row]
  for (const r of queue) {
    for (let i = kids.at[r]; i < kids.at[r + 1]; i++) {
      if (seen.has(kids.rows[i])) continue
      seen.add(kids.rows[i])
      queue.push(kids.rows[i])
    }
  }
  return [kids.at[row + 1] - kids.at[row], seen.size - 1]
}

function Drawn({ row, at, numbers, width }: { row: number; at: ArrayLike<number>; numbers: ArrayLike<number>; width: number }) {
  // The links turned round, once: rows of parents, and children of rows.
  const links = useMemo(() => {
    const up = new Int32Array(numbers.length)
    for (let i = 0; i < up.length; i++) up[i] = rowOf(numbers[i])
    const begin = new Uint32Array(store.rows + 1)
    for (const p of up) if (p >= 0) begin[p + 1]++
    for (let r = 0; r < store.rows; r++) begin[r + 1] += begin[r]
    const next = begin.slice()
    const rows = new Uint32Array(up.length)
    for (let r = 0; r < store.rows; r++) for (let i = at[r]; i < at[r + 1]; i++) if (up[i] >= 0) rows[next[up[i]]++] = r
    return { up, kids: { at: begin, rows } }
  }, [numbers])
  const parents = (r: number) => [...new Set(links.up.subarray(at[r], at[r + 1]))].filter((p) => p >= 0)
  const tree = useMemo(() => family(row, parents), [row, links])
  const [children, all] = useMemo(() => descendants(row, links.kids), [row, links])
  const operator = store.column(record('operator'))
  const value = store.column(metrics()[0] ?? -1)
  const by = value && colouring(value)
  const front = onFront()
  const lost = tree.nodes.length === 1 && at[row + 1] > at[row]
  const text = `Trial ${trial(row)} ${
    lost
      ? 'comes from trials that this report leaves out'
      : tree.nodes.length === 1
        ? 'was drawn afresh: it has no parents'
        : `comes from ${plural(tree.nodes.length - 1, 'earlier design')}`
  }; ${children ? `${plural(children, 'design')} came from it directly and ${number(all)} in all` : 'no design came from it'}.`
  if (tree.nodes.length === 1) return <p class="absent">{text}</p>
  const step = Math.max((width - 150) / Math.max(tree.columns - 1, 1), 84)
  const pictures = tree.lines < 5 && tree.columns < 10 && tree.nodes.filter((n) => drawing(n.row)).length > tree.nodes.length / 3
  const high = pictures ? 122 : Math.min(Math.max(300 / tree.lines, 20), 44)
  const wide = Math.min(step - 16, 150)
  const total = Math.max(step * (tree.columns - 1) + 150, width)
  const height = tree.lines * high + 12
  const x = (c: number) => total - 60 - c * step
  const y = (l: number) => l * high + (pictures ? -40 : 2)
  const place = new Map(tree.nodes.map((n) => [n.row, n]))
  const h = place.get(hover.value)
  return (
    <>
      <div class="scroll tail">
        <div class="plot" style={{ width: total + 'px', height: height + 'px' }}>
          <svg class="lineage" width={total} height={height} role="group" aria-label={text}>
            {tree.nodes.map((n) =>
              n.parents.map((p) => {
                const o = place.get(p)!
                const [x0, y0, x1, y1] = [x(o.column), y(o.line), x(n.column), y(n.line)]
                const on = n.row === hover.value || p === hover.value
                return (
                  <path
                    key={`${n.row} ${p}`}
                    class={on ? 'on' : o.column === n.column + 1 ? undefined : 'side'}
                    d={`M${x0} ${y0}C${(x0 + x1) / 2} ${y0} ${(x0 + x1) / 2} ${y1} ${x1} ${y1}`}
                  />
                )
              }),
            )}
            {tree.nodes.map((n) => {
              const op = operator && operator.x[n.row] >= 0 ? String(operator.meta.values?.[operator.x[n.row]] ?? '') : ''
              return (
                <g
                  key={n.row}
                  class={n.row === row ? 'self' : undefined}
                  transform={`translate(${x(n.column)} ${y(n.line)})`}
                  tabIndex={0}
                  role="button"
                  aria-label={`trial ${trial(n.row)}`}
                  {...rowEvents(n.row)}
                  onKeyDown={(e) => e.key === 'Enter' && pick(n.row, e.shiftKey)}
                >
                  <rect x={-14} y={-10} width={60} height={20} />
                  {n.cut && <path d="M-20 0h10" class="more" />}
                  {pictures && <image x={-wide / 2} y={14} width={wide} height={80} href={drawing(n.row)} />}
                  <circle
                    r={n.row === row ? 7 : 5}
                    class={front[n.row] ? 'on-front' : undefined}
                    style={{ fill: by && Number.isFinite(value.x[n.row]) ? css(ramp(share(by, value.x[n.row]))) : 'var(--ground)' }}
                  />
                  <text class="halo" x={10} dy="0.32em">
                    {trial(n.row)}
                  </text>
                  {op && high > 30 && (
                    <text class="by halo" x={-10} y={-8} text-anchor="end">
                      {cut(op, Math.floor((step - 50) / 6))}
                    </text>
                  )}
                </g>
              )
            })}
          </svg>
          {h && (
            <RowTip
              x={x(h.column)}
              y={y(h.line) + 14}
              width={total}
              row={h.row}
              ids={[...store.view.goal.objectives.map((o) => o.column), record('operator')]}
            />
          )}
        </div>
      </div>
      <p class="note">
        {text} Time runs to the right; the stronger the colour the better{value ? ` in ${cut(value.meta.name, 40)}` : ''}, an orange ring is on the
        front, empty ones were not measured.
      </p>
    </>
  )
}

function Loading(p: { row: number; width: number }) {
  const at = useBlock('lineage.at', 'u32')
  const numbers = useBlock('lineage.number', 'i32')
  return at && numbers && store.column(0) ? <Drawn {...p} at={at} numbers={numbers} /> : null
}

export function Lineage() {
  const { front, answer, lineage } = store.view
  const picked = picks.value[picks.value.length - 1]
  const row = picked ?? (front.knee >= 0 ? front.knee : (answer.picks[0]?.row ?? front.rows[0] ?? -1))
  return (
    <Figure
      id="lineage"
      wide
      title={row < 0 ? 'Where a design came from' : `Where trial ${trial(row)} came from`}
      missing="lineage"
      absent={row < 0 ? 'There is no design yet.' : lineage ? '' : 'No trial says which designs it was made from.'}
      tools={picked === undefined && <small class="muted">pick another design to see its ancestors</small>}
    >
      <Lazy height={200}>{(width) => <Loading row={row} width={width} />}</Lazy>
    </Figure>
  )
}
