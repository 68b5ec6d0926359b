// What the person looking has chosen. Every plot reads it and may change it, so
// that a selection anywhere is a selection everywhere, and it stands in the
// address, so that a view can be sent to somebody else.

import { computed, effect, signal, type ReadonlySignal } from '@preact/signals'
import type { Loaded, Store } from './data'
import { compile, type Condition } from './expr'
import { upTo, type Range } from './scale'

export let store: Store

// where is a condition over columns, in the language of `daedalus trials --where`.
export const where = signal('')

// brushes are the ranges drawn on axes, by column; both ends are included. Ends
// are numbers of Loaded.x: of a category, indexes.
export const brushes = signal<ReadonlyMap<number, Range>>(new Map())

// picks are the rows whose designs are shown in full.
export const picks = signal<readonly number[]>([])

// hover is the row under the pointer, or -1.
export const hover = signal(-1)

// choices are what was chosen in single plots: axes, pages, switches.
export const choices = signal<Readonly<Record<string, string>>>({})

export function choose(key: string, value: string | undefined): void {
  const { [key]: _, ...rest } = choices.value
  choices.value = value === undefined ? rest : { ...rest, [key]: value }
}

// brush selects ranges of columns; undefined takes a brush away.
export function brush(...changes: (readonly [column: number, range: Range | undefined])[]): void {
  const next = new Map(brushes.value)
  for (const [id, range] of changes) {
    if (range) next.set(id, range)
    else next.delete(id)
  }
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

// filtered says whether the condition restricts anything.
export const filtered = computed(() => !condition.value.error && where.value.trim() !== '')

const met: ReadonlySignal<Uint8Array | false | undefined> = computed(() => {
  const c = condition.value
  const columns = filtered.value && store.all(c.columns)
  return columns && Uint8Array.from({ length: store.rows }, (_, r) => Number(c.holds(columns, r)))
})

let buffer = new Uint8Array(0)

export const mask: ReadonlySignal<Mask> = computed(() => {
  const n = store.rows
  const w = met.value
  const active: [Loaded, Range][] = []
  for (const [id, range] of brushes.value) {
    const c = store.column(id)
    if (c) active.push([c, range])
  }
  if (buffer.length !== n) buffer = new Uint8Array(n)
  const bits = buffer.fill(1)
  if (w) bits.set(w)
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
  const x = store.column(0)?.x ?? [] // trial numbers rise
  const k = upTo(x, number)
  return x[k] === number ? k : -1
}

// The address. Picks are trial numbers in it and brushes name their columns, so
// that it holds for a later report of the same study too.

// wanted are trial numbers of the address that are not rows yet.
const wanted = signal<number[]>([])

function toAddress(): string {
  const q = new URLSearchParams()
  if (where.value) q.set('where', where.value)
  for (const [id, [low, high]] of brushes.value) q.set('b.' + store.view.columns[id].name, `${low}..${high}`)
  const numbers = wanted.value.length ? wanted.value : picks.value.map((r) => store.column(0)?.x[r]).filter((x) => x !== undefined)
  if (numbers.length) q.set('pick', numbers.join(','))
  for (const [k, v] of Object.entries(choices.value)) q.set('c.' + k, v)
  return q.toString()
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
  picks.value = []
  wanted.value = numbers.filter(Number.isFinite)
}

// start ties the state to a store and to the address.
export function start(s: Store): void {
  store = s
  // Metrics that a study does not declare are better as the objectives say.
  for (const { column, direction } of s.view.goal.objectives) {
    if (column >= 0 && direction !== 'target') s.view.columns[column].better ??= direction === 'minimize' ? 'low' : 'high'
  }
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
    const numbers = wanted.value
    if (!numbers.length || !store.column(0)) return
    picks.value = numbers.map(rowOf).filter((r) => r >= 0)
    wanted.value = []
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
