// What a page is fed: the view of a study (report/view in Go) as JSON, and its
// columns as binary blocks. The blocks come out of the page itself in a report,
// and from a server in a dashboard; nothing but Source knows which.

import { signal } from '@preact/signals'

export type State = 'waiting' | 'running' | 'complete' | 'pruned' | 'infeasible' | 'failed' | 'cached'

export interface Column {
  name: string
  static: string
  part: 'record' | 'metric' | 'param' | 'verified'
  kind: 'number' | 'category' | 'text'
  unit: string
  doc?: string
  better?: 'low' | 'high'
  log?: boolean
  whole?: boolean
  ordered?: boolean
  rounded?: boolean
  low?: number
  high?: number
  min?: number
  max?: number
  missing?: number
  values?: (string | number)[]
  texts?: string
  encoding: 'f64' | 'f32' | 'i32' | 'u8' | 'u16' | 'u32'
  block: string
}

export interface Objective {
  metric: string
  column: number
  direction: 'minimize' | 'maximize' | 'target'
  target?: number
  text: string
}

export interface Limit {
  metric: string
  column: number
  op: '<=' | '<' | '>=' | '>' | '=='
  bound: number
  soft: boolean
  text: string
}

export interface Node {
  name: string
  path: string
  kind: string
  parent: number
  domain: string
  unit?: string
  doc?: string
  when?: string
  columns: number[]
}

export interface Check {
  id: string
  level: 'good' | 'note' | 'bad'
  title: string
  text: string
  command?: string
}

export interface Baseline {
  what: string
  trials: number[]
  low: number[]
  middle: number[]
  high: number[]
  ahead: string
}

export interface History {
  measure: string
  unit: string
  better: 'low' | 'high'
  log?: boolean
  reference?: number[]
  trials: number[]
  values: number[]
  baseline?: Baseline
}

export interface Measure {
  metric: string
  column: number
  low: number
  high: number
  cells: number
}

export interface Archive {
  kind: 'grid' | 'cvt'
  measures: Measure[]
  objective: number
  better: 'low' | 'high'
  cells: number
  coverage: number
  qdScore: number
  elites: { cell: number; row: number }[]
  centroids?: number[][]
}

export interface Importance {
  target: string
  best: string
  shares: { column: number; share: number; explained: number }[]
}

export interface Winner {
  column: number
  text: string
  low: number
  high: number
  good: number
  ofGood: number
  all: number
  ofAll: number
  chance: number
}

export interface Operator {
  name: string
  trials: number
  onFront: number
  gain: number
  seconds: number
}

export interface DesignMap {
  rows: number[]
  labels?: string[]
  left: number[]
  right: number[]
  height: number[]
  note: string
}

export interface View {
  format: number
  engine: string
  made: string
  study: {
    name: string
    file: string // as a shell takes it
    run: string
    enqueue: string
    question: string
    problem: string
    searcher: string
    reason: string
    seed: string
    created: string
    status: string
    stopped: string
    running: boolean
    engine: string
    designs: string
    seconds: number
    budget: string
  }
  goal: { objectives: Objective[]; axes: number[]; limits: Limit[] }
  trials: { total: number; rows: number; states: Partial<Record<State, number>>; note?: string }
  columns: Column[]
  tree: Node[]
  answer: { headline: string; truth?: string; picks: { row: number; role: string }[]; advice?: string[] }
  front: {
    rows: number[]
    feasible: boolean
    knee: number
    labels?: string[]
    verified?: { metric: string; unit: string; better: string; values: (number | null)[] }[]
    references?: { name: string; values: Record<string, number> }[]
  }
  checks: Check[]
  history?: History
  archive?: Archive
  importance?: Importance[]
  winners?: { good: string; winner: Winner[] }
  operators?: Operator[]
  phases?: { name: string; seconds: number; text: string }[]
  lineage?: { links: number }
  curves?: { metrics: string[]; points: number; rows: number; note?: string }
  map?: DesignMap
  drawings?: { rows: number[] }
  findings?: { title: string; columns: { name: string; unit?: string; number?: boolean }[]; rows: string[][]; notes?: string[] }[]
  missing: Record<string, string>
}

// A Source gives a view and its blocks.
export interface Source {
  view(): Promise<View>
  block(name: string): Promise<ArrayBuffer>
}

// embedded reads what stands in the page: <script id="view"> with the JSON, and
// a <script data-block="NAME"> for each block, deflated and in base 64.
function embedded(): Source {
  return {
    view: async () => JSON.parse(document.getElementById('view')!.textContent!) as View,
    block: async (name) => {
      const at = await element(`script[data-block="${CSS.escape(name)}"]`)
      return inflate(fromBase64(at.textContent!))
    },
  }
}

// element waits for an element that the parser may not have reached yet.
async function element(selector: string): Promise<Element> {
  for (;;) {
    const at = document.querySelector(selector)
    // The text of a script is whole once the parser is past it.
    if (at && (at.nextSibling || document.readyState !== 'loading')) return at
    if (document.readyState !== 'loading') throw new Error(`the report lacks ${selector}; was the file cut?`)
    await new Promise((done) => setTimeout(done, 10))
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const raw = atob(text)
  const out = new Uint8Array(raw.length)
  for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i)
  return out
}

async function inflate(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'))
  return new Response(stream).arrayBuffer()
}

// served asks a server.
function served(base: string): Source {
  const get = async (path: string) => {
    const answer = await fetch(base + path)
    if (!answer.ok) throw new Error(`${base}${path}: ${answer.status} ${answer.statusText}`)
    return answer
  }
  return {
    view: async () => (await get('view.json')).json(),
    block: async (name) => (await get('blocks/' + encodeURIComponent(name))).arrayBuffer(),
  }
}

// source finds out where the page gets its data: <html data-api="URL/"> names a
// server.
export function source(): Source {
  const api = document.documentElement.dataset.api
  return api ? served(api) : embedded()
}

type Numbers = Float64Array | Float32Array

const arrays = { f64: Float64Array, f32: Float32Array, i32: Int32Array, u32: Uint32Array, u16: Uint16Array, u8: Uint8Array }

// decode undoes the order in which a block stores bytes: all first bytes of its
// numbers, then all second ones, which is what makes them compress.
export function decode(buffer: ArrayBuffer, encoding: Column['encoding']): Numbers | Int32Array | Uint32Array | Uint16Array | Uint8Array {
  const kind = arrays[encoding]
  const width = kind.BYTES_PER_ELEMENT
  const from = new Uint8Array(buffer)
  const to = new Uint8Array(from.length)
  for (let b = 0, f = 0; b < width; b++) for (let at = b; at < to.length; at += width) to[at] = from[f++]
  return new kind(to.buffer)
}

// A Loaded column. x has a number for every row, NaN where there is none: the
// value itself, or of a category its index in values, from 0.
export interface Loaded {
  id: number
  meta: Column
  x: Numbers
}

const absent = -(2 ** 31)

function load(id: number, meta: Column, buffer: ArrayBuffer): Loaded {
  const raw = decode(buffer, meta.encoding)
  const table = meta.values && Float64Array.from([NaN, ...meta.values.map((v, k) => (meta.kind === 'number' ? (v as number) : k))])
  if (!table && meta.encoding[0] === 'f') return { id, meta, x: raw as Numbers }
  const x = new Float64Array(raw.length)
  for (let i = 0; i < x.length; i++) x[i] = table ? table[raw[i]] : raw[i] === absent ? NaN : raw[i]
  return { id, meta, x }
}

// A Store keeps the view and the columns that were asked for.
export class Store {
  // arrived counts blocks; reading it makes a component follow them.
  readonly arrived = signal(0)
  readonly failed = signal('')
  private columns = new Map<number, Loaded>()
  private blocks = new Map<string, ArrayBuffer>()
  private asked = new Map<string, Promise<ArrayBuffer>>()

  constructor(
    readonly view: View,
    private from: Source,
  ) {}

  get rows(): number {
    return this.view.trials.rows
  }

  // fetch returns a block once it is there.
  fetch(name: string): Promise<ArrayBuffer> {
    let p = this.asked.get(name)
    if (!p) {
      p = this.from.block(name)
      this.asked.set(name, p)
      p.then(
        (b) => {
          this.blocks.set(name, b)
          this.arrived.value = this.arrived.peek() + 1
        },
        (e: unknown) => {
          this.failed.value = String(e instanceof Error ? e.message : e)
        },
      )
    }
    return p
  }

  // block returns a block, or undefined and asks for it. A component that calls
  // it is rendered again when it arrives.
  block(name: string): ArrayBuffer | undefined {
    const b = this.blocks.get(name)
    if (!b) {
      void this.arrived.value
      void this.fetch(name)
    }
    return b
  }

  // column is block for columns. Ids below 0 have none.
  column(id: number): Loaded | undefined {
    const known = this.columns.get(id)
    if (known || id < 0) return known
    const meta = this.view.columns[id]
    const b = this.block(meta.block)
    if (meta.texts && !meta.values) {
      const t = this.block(meta.texts)
      if (!t) return undefined
      meta.values = JSON.parse(new TextDecoder().decode(t)) as string[]
    }
    if (!b) return undefined
    const c = load(id, meta, b)
    this.columns.set(id, c)
    return c
  }

  // all returns the columns once every one of them is there.
  all(ids: number[]): Loaded[] | undefined {
    const out = ids.map((id) => this.column(id))
    return out.every((c) => c) ? (out as Loaded[]) : undefined
  }

  // id returns the column of a name, or -1.
  id(name: string): number {
    return this.view.columns.findIndex((c) => c.name === name)
  }
}
