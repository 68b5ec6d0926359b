// The map of designs: clusters of alike ones as tiles, opened step by step
// (after DendroMap, Bertucci et al., 2022).

import { useMemo } from 'preact/hooks'
import { choices, choose, hover, mask, pick, picks, store } from './state'
import { cut, number, plural, value } from './format'
import { Choice, ColumnChoice, Figure } from './figure'
import { Drawing, trial } from './bits'
import { colouring, Key, share, type Colouring } from './colouring'
import { bright, chosen, Lazy, levels, metrics, parameters } from './kit'
import { css, painted, ramp } from './theme'
import type { DesignMap, Loaded } from './data'

// A Dendrogram is the tree of a map with what drawing needs: the members of
// every cluster stand together in order.
interface Dendrogram {
  root: number
  parent: Int32Array
  left: (node: number) => number // -1 for a leaf
  right: (node: number) => number
  height: (node: number) => number
  size: Uint32Array
  first: Uint32Array // where a cluster's members begin in order
  order: Uint32Array // leaves
}

function dendrogram(m: DesignMap): Dendrogram {
  const n = m.rows.length
  const all = n + m.left.length
  const size = new Uint32Array(all).fill(1, 0, n)
  const parent = new Int32Array(all).fill(-1)
  m.left.forEach((l, k) => {
    size[n + k] = size[l] + size[m.right[k]]
    parent[l] = parent[m.right[k]] = n + k
  })
  const first = new Uint32Array(all)
  const order = new Uint32Array(n)
  for (let k = all - 1; k >= n; k--) {
    first[m.left[k - n]] = first[k]
    first[m.right[k - n]] = first[k] + size[m.left[k - n]]
  }
  for (let i = 0; i < n; i++) order[first[i]] = i
  const at = (list: number[], none: number) => (node: number) => (node < n ? none : list[node - n])
  return { root: all - 1, parent, left: at(m.left, -1), right: at(m.right, -1), height: at(m.height, 0), size, first, order }
}

interface Tile {
  node: number
  x: number
  y: number
  w: number
  h: number
}

const some = innerWidth < 640 ? '12' : '24' // clusters at first

// tiles opens the clusters of the greatest distance until there are so many,
// and lays them out: every cluster is cut along its longer side, with a gap as
// wide as its halves are apart.
function tiles(d: Dendrogram, root: number, count: number, width: number, height: number): Tile[] {
  const opened = new Set<number>()
  const ends = [root]
  while (ends.length < count) {
    let k = -1
    for (let i = 0; i < ends.length; i++) if (d.left(ends[i]) >= 0 && (k < 0 || d.height(ends[i]) > d.height(ends[k]))) k = i
    if (k < 0) break
    opened.add(ends[k])
    ends.splice(k, 1, d.left(ends[k]), d.right(ends[k]))
  }
  const out: Tile[] = []
  const top = d.height(root) || 1
  const place = (node: number, x: number, y: number, w: number, h: number) => {
    if (!opened.has(node)) {
      out.push({ node, x, y, w, h })
      return
    }
    const [l, r] = [d.left(node), d.right(node)]
    const gap = Math.round(2 + 6 * Math.max((d.height(node) / top - 0.5) * 2, 0))
    const t = d.size[l] / d.size[node]
    if (w >= h * 1.1) {
      const a = (w - gap) * t
      place(l, x, y, a, h)
      place(r, x + a + gap, y, w - gap - a, h)
    } else {
      const a = (h - gap) * t
      place(l, x, y, w, a)
      place(r, x, y + a + gap, w, h - gap - a)
    }
  }
  place(root, 0, 0, width, height)
  return out
}

// shared finds the values that nearly all members of a tile have and few
// designs outside it.
function shared(d: Dendrogram, m: DesignMap, shown: Tile[], columns: Loaded[]): string[][] {
  const n = m.rows.length
  const found = shown.map(() => [] as { text: string; by: number }[])
  for (const c of columns) {
    const index = new Map(levels(c.meta)!.map((x, i) => [x, i]))
    const code = (leaf: number) => index.get(c.x[m.rows[leaf]]) ?? -1
    const total = new Uint32Array(index.size)
    for (let i = 0; i < n; i++) if (code(i) >= 0) total[code(i)]++
    shown.forEach((t, k) => {
      const size = d.size[t.node]
      const inside = new Uint32Array(index.size)
      for (let i = d.first[t.node]; i < d.first[t.node] + size; i++) if (code(d.order[i]) >= 0) inside[code(d.order[i])]++
      for (const [x, v] of index) {
        const out = (total[v] - inside[v]) / Math.max(n - size, 1)
        if (inside[v] >= 0.9 * size && out < 0.6)
          found[k].push({ text: `${cut(c.meta.name.split('.').pop()!, 18)} ${cut(value(c.meta, x), 14)}`, by: inside[v] / size - out })
      }
    })
  }
  return found.map((f) =>
    f
      .sort((a, b) => b.by - a.by)
      .slice(0, 3)
      .map((x) => x.text),
  )
}

interface Summary {
  middle: number // the median
  best: number // row; -1 if no member was measured
  face: number // row with a drawing, the best of them; -1 if there is none
  rows: number[]
}

function summary(d: Dendrogram, m: DesignMap, node: number, z: Loaded | undefined, drawn: Set<number>): Summary {
  const rows = Array.from(d.order.subarray(d.first[node], d.first[node] + d.size[node]), (leaf) => m.rows[leaf])
  const measured = rows.filter((r) => z && Number.isFinite(z.x[r]))
  const sign = z?.meta.better === 'low' ? 1 : -1
  measured.sort((a, b) => sign * (z!.x[a] - z!.x[b]))
  const face = measured.find((r) => drawn.has(r)) ?? rows.find((r) => drawn.has(r)) ?? -1
  return { middle: measured.length ? z!.x[measured[measured.length >> 1]] : NaN, best: measured[0] ?? -1, face, rows }
}

function Face(p: {
  tile: Tile
  of: Summary
  chips: string[]
  z: Loaded | undefined
  by: Colouring | undefined
  leaf: boolean
  on: () => void
  label?: string
}) {
  const { tile, of, z, by } = p
  void painted.value
  const tint = by && Number.isFinite(of.middle) ? ramp(share(by, of.middle)) : undefined
  const n = of.rows.length
  const best = z && of.best >= 0 ? `${number(z.x[of.best])}${z.meta.unit && ' ' + z.meta.unit}` : ''
  const draw = of.face >= 0 && tile.w > 76 && tile.h > 88
  const name = p.leaf ? `trial ${trial(of.rows[0])}` : plural(n, 'design')
  return (
    <button
      class={tint ? (bright(tint) ? 'tile dark' : 'tile light') : 'tile'}
      style={{
        left: tile.x + 'px',
        top: tile.y + 'px',
        width: Math.max(tile.w, 1) + 'px',
        height: Math.max(tile.h, 1) + 'px',
        background: tint && css(tint),
      }}
      title={cut([name, p.label, best && `best ${best}`, ...p.chips].filter(Boolean).join('\n'), 800)}
      onClick={p.on}
      onPointerEnter={() => (hover.value = p.leaf || n < 4 ? of.rows[0] : of.best)}
      onPointerLeave={() => (hover.value = -1)}
    >
      <Lit rows={of.rows} />
      {tile.w > 40 && tile.h > 22 && (
        <span class="head">
          <b>{p.leaf ? '#' + trial(of.rows[0]) : number(n)}</b>
          {!p.leaf && tile.w > 180 && ' designs'}
          {best && tile.w > 96 && (p.leaf || tile.w < 140 ? ` · ${best}` : ` · best ${best}`)}
        </span>
      )}
      {draw && <Drawing row={of.face} />}
      {tile.w > 84 && p.chips.slice(0, Math.max(Math.floor((tile.h - (draw ? 110 : 26)) / 17), 0)).map((c) => <small key={c}>{c}</small>)}
      {p.leaf && !draw && p.label && tile.w > 84 && tile.h > 60 && <small>{cut(p.label, 60)}</small>}
    </button>
  )
}

// Lit shows how much of a tile is selected, and that the row under the pointer
// or a picked one is in it.
function Lit({ rows }: { rows: number[] }) {
  const m = mask.value
  const has = rows.includes(hover.value)
  const picked = picks.value.some((r) => rows.includes(r))
  let n = 0
  if (!m.all) for (const r of rows) n += m.bits[r]
  return (
    <>
      {!m.all && <i class="selected" style={{ width: (100 * n) / rows.length + '%' }} />}
      {(has || picked) && <i class={picked ? 'frame picked' : 'frame'} />}
    </>
  )
}

function Drawn({ m, z, width }: { m: DesignMap; z: Loaded | undefined; width: number }) {
  const d = useMemo(() => dendrogram(m), [m])
  const at = Number(choices.value['map.at'] ?? d.root)
  const root = at >= 0 && at <= d.root && Number.isInteger(at) ? at : d.root
  const count = Number(choices.value['map.n'] ?? some)
  const height = Math.round(Math.min(Math.max(width * 0.52, 420), 640))
  const shown = useMemo(() => tiles(d, root, count, width, height), [d, root, count, width])
  // What members share is looked for in a bounded number of columns.
  const ids = useMemo(() => parameters().filter((id) => levels(store.view.columns[id])), []).slice(0, 24)
  const columns = store.all(ids)
  const chips = useMemo(() => (columns ? shared(d, m, shown, columns) : undefined), [shown, columns?.length])
  const drawn = useMemo(() => new Set(store.view.drawings?.rows), [])
  const parts = useMemo(() => shown.map((t) => summary(d, m, t.node, z, drawn)), [shown, z])
  const by = useMemo(() => {
    // A few odd clusters must not take most of the colours.
    const known = parts.filter((p) => Number.isFinite(p.middle)).sort((a, b) => a.middle - b.middle)
    const all = known.flatMap((p) => p.rows.map(() => p.middle))
    const at = (share: number) => all[Math.round(share * (all.length - 1))]
    return z && all.length ? colouring(z, at(0.05) < at(0.95) ? [at(0.05), at(0.95)] : [at(0), at(1)]) : undefined
  }, [parts])
  const path: number[] = []
  for (let k = root; k >= 0; k = d.parent[k]) path.unshift(k)
  const go = (node: number) => choose('map.at', node === d.root ? undefined : String(node))
  const labels = m.labels
  // Of a long way up only the last steps matter.
  const steps = path.length > 6 ? [path[0], ...path.slice(-5)] : path
  return (
    <>
      {path.length > 1 && (
        <nav class="crumbs" aria-label="clusters above">
          {steps.map((k, i) => (
            <span key={k}>
              {i > 0 && ' › '}
              {k === root ? (
                number(d.size[k])
              ) : (
                <button class="link" onClick={() => go(k)}>
                  {k === d.root ? `all ${number(d.size[k])}` : number(d.size[k])}
                </button>
              )}
            </span>
          ))}
        </nav>
      )}
      <div class="treemap" style={{ height: height + 'px' }}>
        {shown.map((t, k) => {
          const leaf = d.left(t.node) < 0
          const one = parts[k].rows[0]
          return (
            <Face
              key={t.node}
              tile={t}
              of={parts[k]}
              chips={chips?.[k] ?? []}
              z={z}
              by={by}
              leaf={leaf}
              label={leaf ? labels?.[t.node] : undefined}
              on={() => (leaf ? pick(one) : go(t.node))}
            />
          )
        })}
      </div>
      <p class="note">
        {by && <Key of={by} text={z ? `median ${z.meta.name}` : ''} />}A tile is a cluster of designs that are alike: how many, the best value, and
        what nearly all of them share and few others have. Click to open it. {m.note}
      </p>
    </>
  )
}

export function Treemap() {
  const { map, columns } = store.view
  const zs = metrics()
  const z = chosen(choices.value['map.colour'], zs, zs[0])
  const loaded = store.column(z)
  return (
    <Figure
      id="map"
      wide
      title="The map of designs"
      missing="map"
      absent={map?.rows.length ? '' : 'There are no designs to arrange.'}
      tools={
        <>
          {z >= 0 && <ColumnChoice label="colour" id={z} ids={zs} on={(id) => choose('map.colour', columns[id].name)} />}
          <Choice
            label="clusters"
            value={choices.value['map.n'] ?? some}
            options={['4', '8', '12', '24', '40', '64'].map((v) => ({ value: v, text: v }))}
            on={(v) => choose('map.n', v)}
          />
        </>
      }
    >
      <Lazy height={500}>{(width) => (z < 0 || loaded) && <Drawn m={map!} z={loaded} width={width} />}</Lazy>
    </Figure>
  )
}
