// What several plots need to know of rows and columns.

import type { Column, Loaded } from './data'
import { title } from './format'
import { extent } from './scale'
import { store } from './state'

interface Known {
  of: unknown // the store
  kinds?: Uint8Array
  front: Uint8Array
  place: Map<number, number>
}

let made: Known | undefined

function known(): Known {
  if (made?.of !== store) {
    const rows = store.view.front.rows
    made = { of: store, front: new Uint8Array(store.rows), place: new Map(rows.map((r, k) => [r, k])) }
    for (const r of rows) made.front[r] = 1
  }
  return made!
}

// onFront has 1 for the rows of the front.
export function onFront(): Uint8Array {
  return known().front
}

// frontPlace is the index of a row in view.front.rows, or undefined.
export function frontPlace(row: number): number | undefined {
  return known().place.get(row)
}

// kinds says of every row: 0 it was not measured to the end, 1 it keeps the
// limits, 2 it misses one. Undefined until the columns for it are there.
export function kinds(): Uint8Array | undefined {
  const k = known()
  if (k.kinds) return k.kinds
  const record = (name: string) => store.view.columns.findIndex((c) => c.part === 'record' && c.name === name)
  const ids = [record('state'), record('violation')]
  const loaded = ids.map((id) => store.column(id))
  if (ids.some((id, i) => id >= 0 && !loaded[i])) return undefined
  const [state, violation] = loaded
  const done = (state?.meta.values ?? []).map((v) => v === 'complete' || v === 'cached')
  const out = new Uint8Array(store.rows)
  for (let r = 0; r < out.length; r++) {
    if (!state || done[state.x[r]]) out[r] = violation && violation.x[r] > 0 ? 2 : 1
  }
  return (k.kinds = out)
}

// misses is how many rows miss a limit.
export function misses(kind: Uint8Array): number {
  let n = 0
  for (const k of kind) if (k === 2) n++
  return n
}

const sorted = new WeakMap<Loaded, Float64Array>()

// quantile of a column's finite numbers in measured rows, exact up to 20,000
// rows and of every so manieth row beyond.
export function quantile(c: Loaded, share: number): number {
  let s = sorted.get(c)
  if (!s) {
    const kind = kinds()
    const step = Math.max(1, Math.floor(c.x.length / 20_000))
    const some: number[] = []
    for (let r = 0; r < c.x.length; r += step) if ((!kind || kind[r]) && Number.isFinite(c.x[r])) some.push(c.x[r])
    s = Float64Array.from(some).sort()
    if (kind) sorted.set(c, s)
  }
  return s.length ? s[Math.round(share * (s.length - 1))] : NaN
}

const logs = new WeakMap<Loaded, Loaded>()

// scaled is a column as an axis shows it: of a metric whose values crowd at the
// low end, and with on whatever they do, on a logarithmic scale.
export function scaled(c: Loaded, on?: boolean): Loaded {
  const low = c.meta.min ?? 0
  const can = c.meta.kind === 'number' && low > 0
  const crowd = () => (quantile(c, 0.5) - quantile(c, 0.01)) / (quantile(c, 0.99) - quantile(c, 0.01)) < 0.12
  const log = can && (on ?? (c.meta.log || (c.meta.part === 'metric' && crowd())))
  if (log === !!c.meta.log) return c
  let other = logs.get(c)
  if (!other) logs.set(c, (other = { ...c, meta: { ...c.meta, log } }))
  return other
}

// Ranges of an axis: of all values, of most (the quantiles 1 to 99 % and the
// front), and around the front.
export type Span = 'all' | 'most' | 'front'

// spans returns the ranges of a column. most is absent where it would not show
// much more than all.
export function spans(c: Loaded): { all: [number, number]; most?: [number, number]; front?: [number, number] } {
  const all = extent(c.meta)
  if (c.meta.kind !== 'number' || c.meta.part !== 'metric') return { all }
  let low = Infinity
  let high = -Infinity
  for (const r of store.view.front.rows) {
    const x = c.x[r]
    if (!Number.isFinite(x)) continue
    if (x < low) low = x
    if (x > high) high = x
  }
  const log = c.meta.log && all[0] > 0
  const size = ([a, b]: [number, number]) => (log ? Math.log(b / a) : b - a)
  const most: [number, number] = [Math.min(quantile(c, 0.01), low), Math.max(quantile(c, 0.99), high)]
  const front: [number, number] | undefined = high > low ? [low, high] : undefined
  return {
    all,
    most: most[1] > most[0] && size(all) > 4 * size(most) ? most : undefined,
    front: front && size(all) > 1.5 * size(front) ? front : undefined,
  }
}

// room widens a range, so that no point lies on the frame.
export function room([low, high]: [number, number], log: boolean | undefined, share: number): [number, number] {
  if (log && low > 0) {
    const f = (high / low) ** share
    return [low / f, high * f]
  }
  const d = (high - low) * share
  return [low - d, high + d]
}

// label is the title of an axis.
export function label(id: number): string {
  const c: Column = store.view.columns[id]
  if (id === 0 && c.name === 'number') return 'trial number'
  const o = store.view.goal.objectives.find((o) => o.column === id)
  const want = o && { minimize: 'less is better', maximize: 'more is better', target: `best at ${o.target}` }[o.direction]
  return want ? `${title(c)} · ${want}` : title(c)
}

// numeric lists the columns that can stand on an axis: metrics first.
export function numeric(): number[] {
  const order = ['metric', 'param', 'record']
  const out = store.view.columns.flatMap((c, id) => (c.kind === 'number' && c.min !== undefined ? [id] : []))
  return out.sort((a, b) => order.indexOf(store.view.columns[a].part) - order.indexOf(store.view.columns[b].part) || a - b)
}
