// The map of designs: clusters of alike ones as tiles, opened step by step
// (after DendroMap, Bertucci et al., 2022).

import { useMemo } from 'preact/hooks'
import { choices, choose, hover, mask, pick, picks, store } from './state'
import { cut, exact, number, plural, value } from './format'
import { Choice, ColumnChoice, Figure, Lazy, narrow } from './figure'
import { Drawing, trial } from './bits'
import { colouring, Ramp, tint, type Colouring } from './colouring'
import { chosen, levels, metrics, parameters } from './rows'
import { clamp, quantile } from './scale'
import { bright, css, painted } from './theme'
import type { DesignMap, Loaded } from './data'

// A Cluster is a node of the tree of a map, with what drawing needs.
interface Cluster {
  parent: number // -1 at the top
  kids: number[] // none of a leaf, else two
  height: number // how far those are apart
  first: number // where its members begin in order
  size: number
}

function dendrogram(m: DesignMap): { nodes: Cluster[]; rows: number[] } {
  const n = m.rows.length
  const nodes: Cluster[] = m.rows.map(() => ({ parent: -1, kids: [], height: 0, first: 0, size: 1 }))
  m.left.forEach((l, k) => {
    const kids = [l, m.right[k]]
    nodes.push({ parent: -1, kids, height: m.height[k], first: 0, size: nodes[l].size + nodes[kids[1]].size })
    for (const kid of kids) nodes[kid].parent = n + k
  })
  // Members of a cluster stand together.
  for (let k = nodes.length - 1; k >= n; k--) {
    const [l, r] = nodes[k].kids.map((kid) => nodes[kid])
    l.first = nodes[k].first
    r.first = l.first + l.size
  }
  const rows: number[] = []
  for (let i = 0; i < n; i++) rows[nodes[i].first] = m.rows[i]
  return { nodes, rows }
}

interface Tile {
  node: number
  x: number
  y: number
  w: number
  h: number
}

// tiles opens the clusters of the greatest distance until there are so many,
// and lays them out: every cluster is cut along its longer side, with a gap as
// wide as its halves are apart.
function tiles(nodes: Cluster[], root: number, count: number, width: number, height: number): Tile[] {
  const opened = new Set<number>()
  let ends = [root]
  while (ends.length < count) {
    const next = ends.reduce((a, b) => (nodes[b].height > nodes[a].height ? b : a))
    if (!nodes[next].kids.length) break
    opened.add(next)
    ends = [...ends.filter((e) => e !== next), ...nodes[next].kids]
  }
  const out: Tile[] = []
  const place = (node: number, x: number, y: number, w: number, h: number) => {
    if (!opened.has(node)) return void out.push({ node, x, y, w, h })
    const { kids, height, size } = nodes[node]
    const gap = Math.round(2 + 6 * Math.max((height / (nodes[root].height || 1) - 0.5) * 2, 0))
    const t = nodes[kids[0]].size / size
    const across = w >= h * 1.1
    const [a, b] = across ? [(w - gap) * t, h] : [w, (h - gap) * t]
    place(kids[0], x, y, a, b)
    if (across) place(kids[1], x + a + gap, y, w - gap - a, h)
    else place(kids[1], x, y + b + gap, w, h - gap - b)
  }
  place(root, 0, 0, width, height)
  return out
}

// shared finds the values that nearly all members of a tile have and few
// designs outside it.
function shared(all: number[], members: number[][], columns: Loaded[]): string[][] {
  const found = members.map(() => [] as [text: string, by: number][])
  for (const c of columns) {
    const count = (rows: number[]) => {
      const n = new Map<number, number>()
      for (const r of rows) n.set(c.x[r], (n.get(c.x[r]) ?? 0) + 1)
      return n
    }
    const total = count(all)
    members.forEach((rows, k) => {
      for (const [x, n] of count(rows)) {
        const outside = (total.get(x)! - n) / Math.max(all.length - rows.length, 1)
        if (x === x && n >= 0.9 * rows.length && outside < 0.6) {
          found[k].push([`${cut(c.meta.name.split('.').pop()!, 18)} ${cut(value(c.meta, x), 14)}`, n / rows.length - outside])
        }
      }
    })
  }
  return found.map((f) => f.sort((a, b) => b[1] - a[1]).slice(0, 3).map((x) => x[0]))
}

// A Summary says of the members of a tile what it shows.
interface Summary {
  rows: number[]
  middle: number // the median
  best: number // row; -1 if no member was measured
  face: number // row with a drawing, the best of them; -1 if there is none
}

function summary(rows: number[], z: Loaded | undefined, drawn: Set<number>): Summary {
  const sign = z?.meta.better === 'low' ? 1 : -1
  const measured = z ? rows.filter((r) => Number.isFinite(z.x[r])).sort((a, b) => sign * (z.x[a] - z.x[b])) : []
  const face = [...measured, ...rows].find((r) => drawn.has(r)) ?? -1
  return { rows, middle: measured.length ? z!.x[measured[measured.length >> 1]] : NaN, best: measured[0] ?? -1, face }
}

function Face(p: { tile: Tile; of: Summary; chips: string[]; z?: Loaded; by?: Colouring; label: string; on: () => void }) {
  const { tile, of, z, by } = p
  const { w, h } = tile
  void painted.value
  const shade = by && Number.isFinite(of.middle) ? tint(by, of.middle) : undefined
  const leaf = of.rows.length === 1
  const best = z && of.best >= 0 ? ` · ${leaf ? '' : 'best '}${number(z.x[of.best])} ${z.meta.unit}` : ''
  const draw = of.face >= 0 && w > 76 && h > 88
  const chips = p.label && !draw ? [cut(p.label, 60)] : p.chips
  return (
    <button
      class={'tile ' + (shade ? (bright(shade) ? 'dark' : 'light') : '')}
      style={{ left: tile.x + 'px', top: tile.y + 'px', width: Math.max(w, 1) + 'px', height: Math.max(h, 1) + 'px', background: shade && css(shade) }}
      title={cut([leaf ? `trial ${trial(of.rows[0])}` : plural(of.rows.length, 'design'), z && of.best >= 0 && 'best ' + exact(z.meta, z.x[of.best]), p.label, ...p.chips].filter(Boolean).join('\n'), 800)}
      onClick={p.on}
      onPointerEnter={() => (hover.value = of.best < 0 ? of.rows[0] : of.best)}
      onPointerLeave={() => (hover.value = -1)}
    >
      <Lit rows={of.rows} />
      {w > 40 && h > 22 && (
        <span class="head">
          <b>{leaf ? '#' + trial(of.rows[0]) : number(of.rows.length)}</b>
          {w > 110 && best}
        </span>
      )}
      {draw && <Drawing row={of.face} />}
      {w > 84 && chips.slice(0, Math.max(Math.floor((h - (draw ? 110 : 26)) / 17), 0)).map((c) => <small>{c}</small>)}
    </button>
  )
}

// Lit shows how much of a tile is selected, and that the row under the pointer
// or a picked one is in it.
function Lit({ rows }: { rows: number[] }) {
  const m = mask.value
  const picked = picks.value.some((r) => rows.includes(r))
  return (
    <>
      {!m.all && <i class="selected" style={{ width: (100 * rows.reduce((n, r) => n + m.bits[r], 0)) / rows.length + '%' }} />}
      {(picked || rows.includes(hover.value)) && <i class={picked ? 'frame picked' : 'frame'} />}
    </>
  )
}

function Drawn({ m, z, count, width }: { m: DesignMap; z: Loaded | undefined; count: number; width: number }) {
  const { nodes, rows } = useMemo(() => dendrogram(m), [m])
  const top = nodes.length - 1
  const wanted = Number(choices.value['map.at'] ?? top)
  const root = nodes[wanted] ? wanted : top
  const height = Math.round(clamp(width * 0.52, 420, 640))
  const shown = useMemo(() => tiles(nodes, root, count, width, height), [nodes, root, count, width])
  const drawn = useMemo(() => new Set(store.view.drawings?.rows), [])
  const parts = useMemo(() => shown.map(({ node }) => summary(rows.slice(nodes[node].first, nodes[node].first + nodes[node].size), z, drawn)), [shown, z])
  // What members share is looked for in a bounded number of columns.
  const columns = store.all(parameters().filter((id) => levels(store.view.columns[id])).slice(0, 24))
  const chips = useMemo(() => columns && shared(rows, parts.map((p) => p.rows), columns), [parts, columns?.length])
  const by = useMemo(() => {
    // A few odd clusters must not take most of the colours.
    const all = parts.flatMap((p) => p.rows.map(() => p.middle)).filter(Number.isFinite).sort((a, b) => a - b)
    const [low, high] = [quantile(all, 0.05), quantile(all, 0.95)]
    return z && all.length ? colouring(z, low < high ? [low, high] : [all[0], all[all.length - 1]]) : undefined
  }, [parts])
  const path: number[] = []
  for (let k = root; k >= 0; k = nodes[k].parent) path.unshift(k)
  const go = (node: number) => choose('map.at', node === top ? undefined : String(node))
  return (
    <>
      {path.length > 1 && (
        <nav class="crumbs" aria-label="clusters above">
          {/* Of a long way up only the last steps matter. */}
          {(path.length > 6 ? [top, ...path.slice(-5)] : path).map((k) => (
            <button class="link" disabled={k === root} onClick={() => go(k)}>
              {k === top && 'all '}
              {number(nodes[k].size)}
            </button>
          ))}
        </nav>
      )}
      <div class="treemap" style={{ height: height + 'px' }}>
        {shown.map((t, k) => {
          const leaf = !nodes[t.node].kids.length
          return (
            <Face
              key={t.node}
              tile={t}
              of={parts[k]}
              chips={chips?.[k] ?? []}
              z={z}
              by={by}
              label={(leaf && m.labels?.[t.node]) || ''}
              on={() => (leaf ? pick(parts[k].rows[0]) : go(t.node))}
            />
          )
        })}
      </div>
      {by && <Ramp of={by} text={`median ${by.column.meta.name}`} />}
      <p class="note">
        A tile is a cluster of designs that are alike: how many, the best value, and what nearly all of them share and few others have. Click to open it.{' '}
        {m.note}
      </p>
    </>
  )
}

export function Treemap() {
  const { map } = store.view
  const zs = metrics()
  const id = chosen(choices.value['map.colour'], zs, zs[0])
  const z = store.column(id ?? -1)
  const count = choices.value['map.n'] ?? (narrow.value ? '12' : '24')
  return (
    <Figure
      id="map"
      wide
      title="The map of designs"
      absent={!map?.rows.length && 'There are no designs to arrange.'}
      tools={
        <>
          {zs.length > 0 && <ColumnChoice label="colour" of="map.colour" id={id} ids={zs} />}
          <Choice label="clusters" value={count} options={['4', '8', '12', '24', '40', '64'].map((v) => [v, v])} on={(v) => choose('map.n', v)} />
        </>
      }
    >
      <Lazy height={500}>{(width) => (!zs.length || z) && <Drawn m={map!} z={z} count={Number(count)} width={width} />}</Lazy>
    </Figure>
  )
}
