// What plots and tables need to know of rows and columns.

import type { Column, Loaded } from './data'
import { cut, title, value } from './format'
import { category, extent, of, quantile, room, type Range, type Scale } from './scale'
import { store } from './state'

// once keeps what f finds, once it is there.
function once<T>(f: () => T | undefined): () => T | undefined {
  let found: T | undefined
  return () => (found ??= f())
}

// those lists the columns that pass a test.
export const those = (test: (c: Column, id: number) => unknown) => store.view.columns.flatMap((c, id) => (test(c, id) ? [id] : []))

// record is the column of something about the trials themselves, or -1.
export const record = (name: string) => those((c) => c.part === 'record' && c.name === name)[0] ?? -1

// objectives are the columns of what counts.
export const objectives = () => store.view.goal.objectives.map((o) => o.column).filter((id) => id >= 0)

// upright orders objectives as axes: the first goes across.
export const upright = (ids: number[]) => store.view.goal.axes.filter((id) => ids.includes(id))

// compared are two columns on which references stand beside what was measured when the
// search had ended: up goes the first metric of that, across its last in another unit, or
// an objective.
export function compared(): [across: number, up: number] | undefined {
  const { columns, front } = store.view
  const known = (id: number) => front.references?.some((r) => Number.isFinite(r.values[columns[id].name]))
  const [up, ...rest] = those((c, id) => c.part === 'verified' && c.min !== undefined && known(id))
  const across = rest.reverse().find((id) => columns[id].unit !== columns[up].unit) ?? upright(objectives()).find(known)
  return up === undefined || across === undefined ? undefined : [across, up]
}

// limited are the columns that have a limit, without the objectives.
export function limited(): number[] {
  const first = objectives()
  return [...new Set(store.view.goal.limits.map((l) => l.column))].filter((id) => id >= 0 && !first.includes(id))
}

// metrics are the columns to look at, objectives first.
export const metrics = () => [...new Set([...objectives(), ...those((c) => c.part === 'metric' && c.kind === 'number')])]

// measured says whether a column was measured, in the search or afterwards.
const measured = (c: Column) => c.part === 'metric' || c.part === 'verified'

// numeric lists the columns that can stand on an axis: metrics first.
export const numeric = () =>
  ['metric', 'verified', 'param', 'record'].flatMap((part) => those((c) => c.part === part && c.kind === 'number' && c.min !== undefined))

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
  return those((c) => c.part === 'param' && c.kind !== 'text').sort((a, b) => (by.get(b) ?? -1) - (by.get(a) ?? -1))
}

// chosen is the column that a choice names, if it is one of ids, or another.
export function chosen(name: string | undefined, ids: number[], other = -1): number {
  const id = store.id(name ?? '')
  return ids.includes(id) ? id : other
}

// onFront has 1 for the rows of the front.
export const onFront = once(() => {
  const out = new Uint8Array(store.rows)
  for (const r of store.view.front.rows) out[r] = 1
  return out
}) as () => Uint8Array

const places = once(() => new Map(store.view.front.rows.map((r, k) => [r, k])))

// frontPlace is the index of a row in view.front.rows, or -1.
export const frontPlace = (row: number) => places()!.get(row) ?? -1

// short is the problem's short form of a design of the front, or ''.
export const short = (row: number) => store.view.front.labels?.[frontPlace(row)] ?? ''

// roles say why a design is worth a look.
export function roles(row: number): string {
  const { answer, front } = store.view
  const all = answer.picks.filter((p) => p.row === row).map((p) => p.role)
  if (row === front.knee && !all.join().includes('knee')) all.push('knee')
  return cut(all.join(', '), 80)
}

// kinds says of every row: 0 it was not measured to the end, 1 it keeps the
// limits, 2 it misses one. Undefined until the columns for it are there.
export const kinds = once(() => {
  const ids = ['state', 'violation'].map(record)
  const [state, violation] = ids.map((id) => store.column(id))
  if (ids.some((id) => id >= 0 && !store.column(id))) return undefined
  const done = state?.meta.values!.map((v) => v === 'complete' || v === 'cached')
  const out = new Uint8Array(store.rows)
  for (let r = 0; r < out.length; r++) if (!state || done![state.x[r]]) out[r] = violation && violation.x[r] > 0 ? 2 : 1
  return out
})

// has says whether a row has a value.
export const has = (c: Loaded, row: number) => c.x[row] === c.x[row]

const inOrder = new WeakMap<Loaded, Float64Array>()

// quantileOf is a quantile of a column's finite numbers in measured rows, exact up to
// 20,000 rows and of every so manieth row beyond.
export function quantileOf(c: Loaded, at: number): number {
  let s = inOrder.get(c)
  if (!s) {
    const kind = kinds()
    const step = Math.max(1, Math.floor(c.x.length / 20_000))
    s = c.x.filter((x, r) => r % step === 0 && (!kind || kind[r]) && Number.isFinite(x)).sort() as Float64Array
    if (kind) inOrder.set(c, s)
  }
  return quantile(s, at)
}

const logs = new WeakMap<Loaded, Loaded>()

// scaled is a column as an axis shows it: of a metric whose values crowd at the
// low end on a logarithmic scale.
export function scaled(c: Loaded): Loaded {
  const crowd = (quantileOf(c, 0.5) - quantileOf(c, 0.01)) / (quantileOf(c, 0.99) - quantileOf(c, 0.01))
  if (c.meta.log || !measured(c.meta) || !(c.meta.min! > 0 && crowd < 0.12)) return c
  let other = logs.get(c)
  if (!other) logs.set(c, (other = { ...c, meta: { ...c.meta, log: true } }))
  return other
}

// Ranges of an axis: of all values, of most (the quantiles 1 to 99 % and the
// front), and around the front.
export type Span = 'all' | 'most' | 'front'

// spans returns the ranges of a column. most is absent where it would not show
// much more than all.
export function spans(c: Loaded): Partial<Record<Span, Range>> {
  const all = extent(c.meta)
  if (!measured(c.meta)) return { all }
  // What people would use without a search is to be seen too.
  const known = (store.view.front.references ?? []).map((r) => r.values[c.meta.name]).filter(Number.isFinite)
  const widen = ([a, b]: Range): Range => [Math.min(a, ...known), Math.max(b, ...known)]
  const front = store.view.front.rows.map((r) => c.x[r]).filter(Number.isFinite)
  const low = front.reduce((a, b) => Math.min(a, b), Infinity)
  const high = front.reduce((a, b) => Math.max(a, b), -Infinity)
  const size = ([a, b]: Range) => (c.meta.log && all[0] > 0 ? Math.log(b / a) : b - a)
  const [whole, most] = [widen(all), widen([Math.min(quantileOf(c, 0.01), low), Math.max(quantileOf(c, 0.99), high)])]
  return {
    all: whole,
    most: most[1] > most[0] && size(whole) > 4 * size(most) ? most : undefined,
    front: high > low && size(whole) > 1.5 * size([low, high]) ? room([low, high], false, 0.25) : undefined,
  }
}

// span is the range that plots without a choice show, if not all.
export function span(c: Loaded): Range | undefined {
  const { most } = spans(c)
  return most && room(most, c.meta.log, 0.04)
}

// levels are the values of a column, not of a metric, if there are few, in order.
export function levels(c: Column): number[] | undefined {
  const most = 24
  const k = c.values?.length ?? 0
  if (c.kind === 'text' || measured(c) || k > most) return undefined
  if (c.kind === 'category') return c.values!.map((_, i) => i)
  if (k) return (c.values as number[]).slice().sort((a, b) => a - b)
  const low = (c.low ?? c.min)!
  const high = (c.high ?? c.max)!
  return c.whole && !c.log && high - low < 16 ? Array.from({ length: high - low + 1 }, (_, i) => low + i) : undefined
}

// between takes x from its place among numbers that rise to the same place among
// others.
function between(xs: number[], ys: number[], x: number): number {
  let k = 1
  while (k < xs.length - 1 && xs[k] < x) k++
  return ys[k - 1] + ((x - xs[k - 1]) / (xs[k] - xs[k - 1] || 1)) * (ys[k] - ys[k - 1] || 1)
}

// axis places a column between two pixels: of a metric most of its values, of
// others all. Columns of few values have them at equal distances.
export function axis(c: Loaded, from: number, to: number): Scale {
  const l = levels(c.meta)
  if (!l) return of(c, from, to, span(c))
  const even = category(
    l.map((x) => value(c.meta, x)),
    from,
    to,
  )
  const step = Math.abs(to - from) / l.length
  if (c.meta.kind !== 'number') return Object.assign(even, { step })
  const index = l.map((_, i) => i)
  return Object.assign((x: number) => even(between(l, index, x)), {
    low: l[0],
    high: l[l.length - 1],
    step,
    invert: (p: number) => between(index, l, even.invert(p)),
    ticks: (about: number) => even.ticks(about).map(({ x, text }) => ({ x: l[x], text })),
  })
}

// label is the title of an axis.
export function label(id: number): string {
  const c = store.view.columns[id]
  const target = store.view.goal.objectives.find((o) => o.column === id)?.target
  const want = target !== undefined ? `best at ${target}` : c.better && (c.better === 'low' ? 'less is better' : 'more is better')
  return (id ? title(c) : 'trial number') + (want ? ' · ' + want : '')
}
