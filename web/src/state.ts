// What the person looking has chosen. Every plot reads it and may change it, so
// that a selection anywhere is a selection everywhere, and it stands in the
// address, so that a view can be sent to somebody else.

import { computed, effect, signal, type ReadonlySignal } from '@preact/signals'
import type { Loaded, Store } from './data'
import { compile, type Condition } from './expr'

export let store: Store

// where is a condition over columns, in the language of `daedalus trials --where`.
export const where = signal('')

// brushes are the ranges drawn on axes, by column; both ends are included. Ends
// are numbers of Loaded.x: of a category, indexes.
export const brushes = signal<ReadonlyMap<number, readonly [number, number]>>(new Map())

// picks are the rows whose designs are shown in full.
export const picks = signal<readonly number[]>([])

// hover is the row under the pointer, or -1.
export const hover = signal(-1)

// choices are what was chosen in single plots: axes, pages, switches.
export const choices = signal<Readonly<Record<string, string>>>({})

export function choose(key: string, value: string | undefined): void {
  const next = { ...choices.value }
  if (value === undefined) delete next[key]
  else next[key] = value
  choices.value = next
}

export function brush(column: number, range: readonly [number, number] | undefined): void {
  const next = new Map(brushes.value)
  if (range) next.set(column, range[0] <= range[1] ? range : [range[1], range[0]])
  else next.delete(column)
  brushes.value = next
}

// pick shows a row; with more, beside those shown already.
export function pick(row: number, more = false): void {
  const now = picks.value
  if (!more) picks.value = now.length === 1 && now[0] === row ? [] : [row]
  else picks.value = now.includes(row) ? now.filter((r) => r !== row) : [...now, row].slice(-4)
}

export function clear(): void {
  where.value = ''
  brushes.value = new Map()
}

// condition is where, compiled; its error says what is wrong with the text.
export const condition: ReadonlySignal<Condition> = computed(() => compile(where.value, store.view.columns))

// A Mask says which rows are selected: those that meet the condition and lie in
// every brush. all is true if nothing restricts them.
export interface Mask {
  bits: Uint8Array // 1 for a selected row; valid until the next change
  count: number
  all: boolean
}

const met: ReadonlySignal<Uint8Array | undefined> = computed(() => {
  const c = condition.value
  if (c.error || !where.value.trim()) return undefined
  const columns = store.all(c.columns)
  if (!columns) return undefined
  const bits = new Uint8Array(store.rows)
  for (let r = 0; r < bits.length; r++) bits[r] = c.holds(columns, r) ? 1 : 0
  return bits
})

let buffer = new Uint8Array(0)

export const mask: ReadonlySignal<Mask> = computed(() => {
  const n = store.rows
  const w = met.value
  const active: [Loaded, readonly [number, number]][] = []
  for (const [id, range] of brushes.value) {
    const c = store.column(id)
    if (c) active.push([c, range])
  }
  if (buffer.length !== n) buffer = new Uint8Array(n)
  const bits = buffer
  if (w) bits.set(w)
  else bits.fill(1)
  for (const [c, [low, high]] of active) {
    const x = c.x
    for (let r = 0; r < n; r++) if (!(x[r] >= low && x[r] <= high)) bits[r] = 0
  }
  let count = 0
  for (let r = 0; r < n; r++) count += bits[r]
  return { bits, count, all: !w && active.length === 0 }
})

// rowOf returns the row of a trial number, or -1.
export function rowOf(number: number): number {
  const c = store.column(0) // trial numbers rise
  if (!c) return -1
  let a = 0
  let b = c.x.length
  while (a < b) {
    const m = (a + b) >> 1
    if (c.x[m] < number) a = m + 1
    else b = m
  }
  return a < c.x.length && c.x[a] === number ? a : -1
}

// The address. Picks are trial numbers in it and brushes name their columns, so
// that it holds for a later report of the same study too.

let pendingPicks: number[] | undefined

function toAddress(): string {
  const q = new URLSearchParams()
  if (where.value) q.set('where', where.value)
  for (const [id, [low, high]] of brushes.value) q.set('b.' + store.view.columns[id].name, `${short(low)}..${short(high)}`)
  const numbers = pendingPicks ?? picks.value.map((r) => store.column(0)?.x[r]).filter((x) => x !== undefined)
  if (numbers.length) q.set('pick', numbers.join(','))
  for (const [k, v] of Object.entries(choices.value)) q.set('c.' + k, v)
  return q.toString()
}

function short(x: number): string {
  return String(Number(x.toPrecision(7)))
}

function fromAddress(): void {
  const q = new URLSearchParams(location.hash.slice(1))
  where.value = q.get('where') ?? ''
  const b = new Map<number, [number, number]>()
  const c: Record<string, string> = {}
  for (const [k, v] of q) {
    if (k.startsWith('b.')) {
      const id = store.id(k.slice(2))
      const [low, high] = v.split('..').map(Number)
      if (id >= 0 && low <= high) b.set(id, [low, high])
    } else if (k.startsWith('c.')) c[k.slice(2)] = v
  }
  brushes.value = b
  choices.value = c
  const numbers = (q.get('pick') ?? '').split(',').filter(Boolean).map(Number)
  pendingPicks = numbers.length ? numbers.filter(Number.isFinite) : undefined
  if (!pendingPicks) picks.value = []
}

// start ties the state to a store and to the address.
export function start(s: Store): void {
  store = s
  fromAddress()
  let written = location.hash.slice(1)
  let timer = 0
  addEventListener('hashchange', () => {
    if (location.hash.slice(1) !== written) {
      written = location.hash.slice(1)
      fromAddress()
    }
  })
  effect(() => {
    // Picks of the address become rows once the numbers are there.
    if (!pendingPicks || !store.column(0)) return
    const rows = pendingPicks.map(rowOf).filter((r) => r >= 0)
    pendingPicks = undefined
    picks.value = rows
  })
  effect(() => {
    const next = toAddress()
    clearTimeout(timer)
    timer = window.setTimeout(() => {
      if (next === written) return
      written = next
      history.replaceState(null, '', next ? '#' + next : location.pathname + location.search)
    }, 250)
  })
}
