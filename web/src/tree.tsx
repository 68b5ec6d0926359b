// The space that was searched: every parameter where it lives, how much it
// matters, how often it is there, and what was tried against what won.

import { useMemo, useState } from 'preact/hooks'
import { store } from './state'
import { cut, percent, plural } from './format'
import { Bar, Figure, Head, Lazy } from './figure'
import { axis, levels } from './rows'
import { study, target, targetName } from './importance'

// Histogram shows which values were tried (grey) and which the front has
// (orange).
function Histogram({ ids }: { ids: number[] }) {
  const columns = store.all(ids)
  const bars = useMemo(() => {
    if (!columns) return []
    const bins = levels(columns[0].meta)?.length ?? 20
    const counts = [0, 1].map(() => new Float64Array(bins))
    for (const c of columns) {
      const s = axis(c, 0, bins)
      for (let r = 0; r < c.x.length; r++) counts[0][Math.floor(s(c.x[r]))]++
      for (const r of store.view.front.rows) counts[1][Math.floor(s(c.x[r]))]++
    }
    const w = 96 / bins
    return counts.map((v, k) => {
      const most = Math.max(...v, 1)
      const [from, wide] = k ? [w * 0.3, w * 0.4] : [0, Math.max(w - 1, 1)]
      return Array.from(v, (n, i) => (n ? `M${i * w + from} 22h${wide}v${(-21 * n) / most}h${-wide}z` : '')).join('')
    })
  }, [columns?.length])
  return (
    <svg width={96} height={22} aria-hidden="true">
      <path class="tried" d={bars[0]} />
      <path class="won" d={bars[1]} />
    </svg>
  )
}

export function Tree() {
  const { tree, trials, columns } = store.view
  const { kids, depth, below } = useMemo(() => {
    const kids: number[][] = tree.map(() => [])
    kids[-1] = []
    const depth: number[] = []
    tree.forEach((n, i) => {
      depth[i] = (depth[n.parent] ?? -1) + 1
      kids[n.parent].push(i)
    })
    return { kids, depth, below: sums((i) => Number(tree[i].columns.length > 0)) }
  }, [])
  const [open, setOpen] = useState(() => {
    // Groups are open level by level while there is room.
    const out = new Set<number>()
    let rows = 0
    for (let level = [-1]; level.length; level = level.flatMap((i) => kids[i])) {
      rows += level.reduce((n, i) => n + kids[i].length, 0)
      if (rows > 60) break
      level.forEach((i) => out.add(i))
    }
    return out.add(-1)
  })
  const t = target()
  const share = useMemo(() => {
    const by = new Map(t?.shares.map((s) => [s.column, s.share]))
    return sums((i) => tree[i].columns.reduce((sum, c) => sum + (by.get(c) ?? 0), 0))
  }, [t])
  const most = Math.max(...share, 1e-9)
  const toggle = (i: number) => {
    const next = new Set(open)
    if (!next.delete(i)) next.add(i)
    setOpen(next)
  }
  const nested = kids[-1].length < tree.length
  const rows: number[] = []
  const walk = (i: number) => {
    if (i >= 0) rows.push(i)
    if (open.has(i)) kids[i].forEach(walk)
  }
  walk(-1)
  return (
    <Figure
      id="space"
      wide
      title="The space that was searched"
      absent={!tree.length && 'The space has no parameter.'}
      note={
        (t ? `Matters: share for ${targetName(t.target)}, a group with all below it. ` : '') +
        'Active: share of trials that have it. Values: tried in grey, on the front in orange, each to its own height.'
      }
    >
      <div class="scroll">
        <table class="bars spacetree">
          <Head titles={['parameter', 'may be', t && 'matters', 'active', 'values']} />
          <tbody>
            {rows.map((i) => {
              const n = tree[i]
              const group = kids[i].length > 0
              const there = n.columns.map((c) => 1 - (columns[c].missing ?? 0) / Math.max(trials.rows, 1))
              const drawn = n.columns.filter((c) => columns[c].kind !== 'text').slice(0, 16)
              const name = cut(n.name, 40)
              return (
                <tr key={i} class={group ? 'group' : undefined}>
                  <th scope="row" style={{ paddingLeft: (depth[i] + Number(nested && !group)) * 18 + 'px' }} title={cut([n.path, n.doc].filter(Boolean).join(': '), 1000)}>
                    {group && (
                      <button class="fold" aria-expanded={open.has(i)} aria-label={`open ${name}`} onClick={() => toggle(i)}>
                        {open.has(i) ? '▾' : '▸'}
                      </button>
                    )}
                    {drawn.length ? (
                      <button class="link" onClick={() => study(drawn[0])}>
                        {name}
                      </button>
                    ) : (
                      name
                    )}
                    {group && !open.has(i) && <small class="muted"> {plural(below[i], 'parameter')}</small>}
                  </th>
                  <td title={cut(n.domain, 1000)}>
                    {cut(n.domain, 60)} <span class="muted">{n.domain ? n.unit : n.kind}</span>
                    {n.when && <small class="when muted">if {cut(n.when, 80)}</small>}
                  </td>
                  {t && <Bar share={share[i]} most={most} colour={n.columns.length ? undefined : '--faint'} text={share[i] > 0 ? percent(share[i]) : ''} />}
                  <td class="muted">{there.length > 0 && percent(Math.max(...there))}</td>
                  <td class="spark">{drawn.length > 0 && <Lazy height={22}>{() => <Histogram ids={drawn} />}</Lazy>}</td>
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
    </Figure>
  )
}

// sums adds to what nodes have what all below them have; children come after
// their parents.
function sums(of: (node: number) => number): number[] {
  const { tree } = store.view
  const out = tree.map((_, i) => of(i))
  for (let i = tree.length - 1; i >= 0; i--) if (tree[i].parent >= 0) out[tree[i].parent] += out[i]
  return out
}
