// The space that was searched: every parameter where it lives, how much it
// matters, how often it is there, and what was tried against what won.

import { useMemo, useRef, useState } from 'preact/hooks'
import { store } from './state'
import { cut, percent, plural } from './format'
import { Figure, useVisible } from './figure'
import { axis, Bar, Head, levels } from './kit'
import { study, target } from './importance'

// Spark shows which values were tried (grey) and which the front has (orange).
function Spark({ ids }: { ids: number[] }) {
  const ref = useRef<HTMLTableCellElement>(null)
  const near = useVisible(ref)
  const seen = useRef(false)
  seen.current ||= near
  return (
    <td ref={ref} class="spark">
      {seen.current && <Histogram ids={ids} />}
    </td>
  )
}

function Histogram({ ids }: { ids: number[] }) {
  const columns = store.all(ids.slice(0, 16))
  const bars = useMemo(() => {
    if (!columns?.length) return []
    const bins = levels(columns[0].meta)?.length ?? 20
    const all = new Float64Array(bins)
    const good = new Float64Array(bins)
    for (const c of columns) {
      const s = axis(c, 0, bins)
      const add = (to: Float64Array, r: number) => {
        const k = Math.floor(s(c.x[r]))
        if (k >= 0 && k < bins) to[k]++
      }
      for (let r = 0; r < c.x.length; r++) add(all, r)
      for (const r of store.view.front.rows) add(good, r)
    }
    return [all, good].map((v) => {
      const most = Math.max(...v)
      return Array.from(v, (n) => (most > 0 ? n / most : 0))
    })
  }, [columns?.length])
  if (!bars.length) return null
  const w = 96 / bars[0].length
  return (
    <svg width={96} height={22} aria-hidden="true">
      {bars.map((b, k) => (
        <path
          key={k}
          class={k ? 'won' : 'tried'}
          d={b
            .map((v, i) =>
              v ? `M${i * w + (k ? w * 0.3 : 0.5)} 22h${k ? w * 0.4 : Math.max(w - 1, 1)}v${-21 * v}h${k ? -w * 0.4 : -Math.max(w - 1, 1)}z` : '',
            )
            .join('')}
        />
      ))}
    </svg>
  )
}

export function Tree() {
  const { tree, trials } = store.view
  const shape = useMemo(() => {
    const kids: number[][] = tree.map(() => [])
    const depth: number[] = []
    const tops: number[] = []
    tree.forEach((n, i) => {
      depth[i] = n.parent < 0 ? 0 : depth[n.parent] + 1
      ;(n.parent < 0 ? tops : kids[n.parent]).push(i)
    })
    // Parameters below a node; children come after their parents.
    const below = tree.map((n) => (n.columns.length ? 1 : 0))
    for (let i = tree.length - 1; i >= 0; i--) if (tree[i].parent >= 0) below[tree[i].parent] += below[i]
    return { kids, depth, tops, below }
  }, [])
  const { kids, depth, tops, below } = shape
  const [open, setOpen] = useState(() => {
    // Groups are open level by level while there is room.
    const out = new Set<number>()
    let rows = tops.length
    for (let level = tops; level.length; level = level.flatMap((i) => kids[i])) {
      rows += level.reduce((n, i) => n + kids[i].length, 0)
      if (rows > 60) break
      level.forEach((i) => out.add(i))
    }
    return out
  })
  const t = target()
  const share = useMemo(() => {
    const by = new Map(t?.shares.map((s) => [s.column, s.share]))
    const out = tree.map((n) => n.columns.reduce((sum, c) => sum + (by.get(c) ?? 0), 0))
    for (let i = tree.length - 1; i >= 0; i--) if (tree[i].parent >= 0) out[tree[i].parent] += out[i]
    return out
  }, [t])
  const most = Math.max(...share, 1e-9)
  const toggle = (i: number) => {
    const next = new Set(open)
    if (!next.delete(i)) next.add(i)
    setOpen(next)
  }
  const rows: number[] = []
  const walk = (i: number) => {
    rows.push(i)
    if (open.has(i)) kids[i].forEach(walk)
  }
  tops.forEach(walk)
  return (
    <Figure
      id="space"
      wide
      title="The space that was searched"
      absent={tree.length ? '' : 'The space has no parameter.'}
      note={
        (t ? `Matters: share for ${t.target === 'front' ? 'the front' : cut(t.target, 40)}, a group with all below it. ` : '') +
        'Active: share of trials that have the parameter. Values: tried in grey, on the front in orange, each to its own height.'
      }
    >
      <div class="scroll">
        <table class="bars spacetree">
          <Head titles={['parameter', 'may be', t && 'matters', 'active', 'values']} />
          <tbody>
            {rows.map((i) => {
              const n = tree[i]
              const group = kids[i].length > 0
              const there = n.columns.map((c) => 1 - (store.view.columns[c].missing ?? 0) / Math.max(trials.rows, 1))
              const first = n.columns.find((c) => store.view.columns[c].kind !== 'text')
              const name = cut(n.name, 40)
              return (
                <tr key={i} class={group ? 'group' : undefined}>
                  <th scope="row" style={{ paddingLeft: depth[i] * 18 + 'px' }} title={cut([n.path, n.doc].filter(Boolean).join(': '), 1000)}>
                    {group ? (
                      <button
                        class="fold"
                        aria-expanded={open.has(i)}
                        aria-label={`${open.has(i) ? 'Close' : 'Open'} ${name}`}
                        onClick={() => toggle(i)}
                      />
                    ) : (
                      tops.length < tree.length && <span class="fold" />
                    )}
                    {first === undefined ? (
                      name
                    ) : (
                      <button class="link" onClick={() => study(first)}>
                        {name}
                      </button>
                    )}
                    {group && !open.has(i) && <small class="muted"> {plural(below[i], 'parameter')}</small>}
                  </th>
                  <td title={cut(n.domain, 1000)}>
                    {cut(n.domain, 60)} <span class="muted">{n.domain ? n.unit : n.kind}</span>
                    {n.when && <small class="when">if {cut(n.when, 80)}</small>}
                  </td>
                  {t && (
                    <Bar
                      share={share[i]}
                      most={most}
                      colour={group && !n.columns.length ? '--faint' : undefined}
                      text={share[i] > 0 ? percent(share[i]) : ''}
                    />
                  )}
                  <td class="active muted">{there.length > 0 && percent(Math.max(...there))}</td>
                  {first === undefined ? <td /> : <Spark ids={n.columns.filter((c) => store.view.columns[c].kind !== 'text')} />}
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
    </Figure>
  )
}
