// Conditions over columns, in the language of `daedalus trials --where`
// (internal/expr in Go, which expr.cases.json holds both to). A condition is
// compiled into closures while it is read. Truths are 1 and 0; whatever is
// undefined is NaN, of every kind.

import type { Column, Loaded } from './data'

export interface Condition {
  error?: string
  at?: number // where in the text the mistake is
  columns: number[] // the columns that holds reads, in its order
  holds(columns: Loaded[], row: number): boolean
}

// A Value is a number, a truth or a string for a row, and inside an aggregate
// for one instance.
type Value = (row: number, el: number) => any

// A Part is a compiled piece.
interface Part {
  kind: 'number' | 'boolean' | 'string' | '' // '' of a word that names no column
  at: number // where it begins
  name?: string // of what is only a name
  f: Value
}

class Mistake extends Error {
  constructor(
    readonly at: number,
    message: string,
  ) {
    super(message)
  }
}

const positive = (f: (x: number) => number) => (x: number) => (x > 0 ? f(x) : NaN)

const single: Record<string, (x: number) => number> = {
  abs: Math.abs,
  floor: Math.floor,
  ceil: Math.ceil,
  sqrt: Math.sqrt,
  exp: Math.exp,
  log: positive(Math.log),
  log2: positive(Math.log2),
  round: (x) => Math.trunc(x) + (Math.abs(x % 1) >= 0.5 ? Math.sign(x) : 0), // halves go away from zero
}

// Aggregates fold the values that are defined.
const folds: Record<string, [start: number, (sum: number, x: number) => number]> = {
  sum: [0, (s, x) => s + x],
  len: [0, (s) => s + 1],
  count: [0, (s, x) => s + x],
  all: [1, Math.min],
  any: [0, Math.max],
  min: [NaN, (s, x) => (s <= x ? s : x)],
  max: [NaN, (s, x) => (s >= x ? s : x)],
}

const operators: Record<string, (x: any, y: any) => number | boolean> = {
  '+': (x, y) => x + y,
  '-': (x, y) => x - y,
  '*': (x, y) => x * y,
  '/': (x, y) => (y ? x / y : NaN),
  '%': (x, y) => (x % y && x < 0 !== y < 0 ? (x % y) + y : x % y), // the sign of y
  '^': (x, y) => (!x && y < 0 ? NaN : x ** y),
  '<': (x, y) => x < y,
  '<=': (x, y) => x <= y,
  '>': (x, y) => x > y,
  '>=': (x, y) => x >= y,
  '==': (x, y) => x === y,
  '!=': (x, y) => x !== y,
}
const comparisons = ['==', '!=', '<', '<=', '>', '>=']
const keywords = ['and', 'or', 'not', 'in', 'true', 'false']

export const functions = [...Object.keys(single), 'active', ...Object.keys(folds)]

const nameText = '[\\p{L}_][\\p{L}\\p{Nd}_]*(?:\\.[\\p{L}\\p{Nd}_]+|\\[\\d+\\])*'

// A token: a number, a name (keywords have no index), a name in backquotes, a
// string, an operator, or the end.
const token = new RegExp(
  '[ \\t\\r\\n]*(?:((?:\\d+\\.?\\d*|\\.\\d+)(?:[eE][+-]?\\d+)?)(?![\\p{L}\\p{Nd}_])|((?:' +
    keywords.join('|') +
    ')(?=\\[)|' +
    nameText +
    ')|`([^`\\n\\r]+)`|' +
    /('(?:[^'\\]|\\[\\'"nrt])*'|"(?:[^"\\]|\\[\\'"nrt])*")|(=>|[=!<>]=|&&|\|\||\*\*|[<>!+\-*/%^()[\],?:=])/.source +
    '|$)',
  'uy',
)
const plain = new RegExp(`^${nameText}$`, 'u')

// names lists what a condition can name: columns, and parameters of repeated
// parts without their indexes.
export const names = (columns: Column[]) => [...new Set(columns.flatMap((c) => [c.name, c.static || c.name]))]

// quoteName puts a name into backquotes where it does not read as one.
export const quoteName = (name: string) => (plain.test(name) && !keywords.includes(name) ? name : '`' + name + '`')

// nearest returns the candidate with the fewest edits to a name, if near enough
// to be what was meant.
function nearest(name: string, candidates: string[]): string {
  let best = ''
  let least = Math.max(2, name.length / 3 + 1)
  for (const c of candidates) {
    if (Math.abs(c.length - name.length) >= least) continue
    let above = Array.from(c + ' ', (_, j) => j)
    for (let i = 0; i < name.length; i++) {
      const row = [i + 1]
      for (let j = 0; j < c.length; j++) {
        row.push(name[i].toLowerCase() === c[j].toLowerCase() ? above[j] : 1 + Math.min(above[j], above[j + 1], row[j]))
      }
      above = row
    }
    if (above[c.length] < least) {
      least = above[c.length]
      best = c
    }
  }
  return best
}

const not =
  (f: Value): Value =>
  (row, el) =>
    1 - f(row, el)

// any and all follow Kleene's strong logic.
const any =
  (fs: Value[]): Value =>
  (row, el) => {
    let out = 0
    for (const f of fs) {
      const t = f(row, el)
      if (t === 1) return 1
      if (t !== t) out = t
    }
    return out
  }
const all = (fs: Value[]) => not(any(fs.map(not)))

// applied is the value of an operator, undefined where an operand is.
const applied = (op: string, { f }: Part, { f: g }: Part): Value => {
  const calculate = operators[op]
  return (row, el) => {
    const x = f(row, el)
    const y = g(row, el)
    return x !== x || y !== y ? NaN : +calculate(x, y)
  }
}

function read(src: string, columns: Column[]): Condition {
  let at = 0 // of the token
  let word: string | undefined // a name, keyword or operator
  let quoted: string | undefined // a name in backquotes
  let held: string | number | undefined // a constant
  const slots: number[] = [] // the columns that are read
  let x: Loaded['x'][] = [] // their values
  let inside = '' // the aggregate we are in
  let count = 0 // its instances; 0 if none were seen yet

  const fail = (message: string, place = at): never => {
    throw new Mistake(place, message)
  }

  // Reading words.

  function next(): void {
    const before = token.lastIndex
    const m = token.exec(src)
    at = before + /^[ \t\r\n]*/.exec(src.slice(before))![0].length
    if (!m) fail(/["'`]/.test(src[at]) ? `expected a closing ${src[at]}, with only \\\\ \\' \\" \\n \\r \\t before it` : 'this cannot be read')
    let digits, string, operator
    ;[, digits, word, quoted, string, operator] = m!
    word ??= operator
    held = digits ? Number(digits) : string?.slice(1, -1).replace(/\\(.)/g, (_, c) => ({ n: '\n', r: '\r', t: '\t' })[c as string] ?? c)
    if (held === Infinity) fail('expected a number below 1.8e308')
  }
  const is = (...texts: string[]) => word !== undefined && texts.includes(word)
  const accept = (...texts: string[]) => is(...texts) && (next(), true)
  const expect = (text: string) => accept(text) || fail(`expected ${text}`)

  // Checking.

  function unknown(p: Part): never {
    const near = nearest(p.name!, names(columns))
    return fail(`nothing is named ${p.name}` + (near && `: did you mean ${near}?`), p.at)
  }

  function need(p: Part, kind: Part['kind'], by: string): Part {
    if (!p.kind) unknown(p)
    if (p.kind !== kind) fail(`${by} needs a ${kind}; this is a ${p.kind}`, p.at)
    return p
  }

  // equal makes words that name no column strings if they are compared with a
  // name that does, and sees that all are of one kind.
  function equal(parts: Part[], named: boolean): Part[] {
    const out = parts.map((p): Part => (p.kind ? p : named ? { ...p, kind: 'string', f: () => p.name } : unknown(p)))
    out.forEach((p, i) => {
      if (p.kind === out[0].kind) return
      const w = parts.find((p) => !p.kind)
      if (w) unknown(w) // 'width == widht': rather a misspelt name than a string
      fail(`a ${out[0].kind} and a ${p.kind} are never equal`, parts[i].at)
    })
    return out
  }

  // The grammar, what binds least first.

  function expr(): Part {
    const c = implies()
    if (!accept('?')) return c
    need(c, 'boolean', '?')
    const [a] = equal([expr()], false)
    expect(':')
    const b = need(expr(), a.kind, 'the value after :')
    return {
      ...a,
      name: undefined,
      f: (row, el) => {
        const which = c.f(row, el)
        return which !== which ? NaN : (which ? a : b).f(row, el)
      },
    }
  }

  const truth = (at: number, f: Value): Part => ({ kind: 'boolean', at, f })

  function implies(): Part {
    const a = or()
    if (!accept('=>')) return a
    need(a, 'boolean', '=>')
    return truth(a.at, any([not(a.f), need(implies(), 'boolean', '=>').f]))
  }

  const joined = (op: string, sign: string, part: () => Part, join: (fs: Value[]) => Value) => () => {
    const parts = [part()]
    while (accept(op, sign)) parts.push(part())
    return parts[1] ? truth(parts[0].at, join(parts.map((p) => need(p, 'boolean', op).f))) : parts[0]
  }
  const or = joined('or', '||', joined('and', '&&', negation, all), any)

  function negation(): Part {
    return accept('not', '!') ? truth(at, not(need(negation(), 'boolean', 'not').f)) : compare()
  }

  // list reads up to an end that is not there yet.
  function list(end: string): Part[] {
    const out = [expr()]
    while (accept(',')) out.push(expr())
    expect(end)
    return out
  }

  const column = (p: Part) => p.kind && p.name !== undefined

  function compare(): Part {
    let parts = [sum()]
    const { at } = parts[0]
    if (is('not', 'in')) {
      const without = accept('not')
      expect('in')
      expect('[')
      const [a, ...rest] = equal([...parts, ...list(']')], !!column(parts[0]))
      const some = any(rest.map((p) => applied('==', a, p)))
      return truth(at, without ? not(some) : some)
    }
    const ops: string[] = []
    while (is(...comparisons)) {
      ops.push(word!)
      const two = (o: string) => ops.some((p) => p[0] === o)
      if ((ops[1] && two('!')) || (two('<') && two('>'))) fail('a chain of comparisons points one way: join two with and')
      next()
      parts.push(sum())
    }
    if (is('=')) fail('expected == for comparison')
    if (!ops.length) return parts[0]
    const ordered = ops.find((o) => /[<>]/.test(o))
    parts = ordered ? parts.map((p) => need(p, 'number', ordered)) : equal(parts, parts.some(column))
    return truth(at, all(ops.map((op, i) => applied(op, parts[i], parts[i + 1]))))
  }

  const calculated = (op: string, a: Part, b: Part): Part => ({ kind: 'number', at: a.at, f: applied(op, need(a, 'number', op), need(b, 'number', op)) })

  const left = (ops: string[], part: () => Part) => () => {
    let a = part()
    while (is(...ops)) {
      const op = word!
      next()
      a = calculated(op, a, part())
    }
    return a
  }
  const sum = left(['+', '-'], left(['*', '/', '%'], signed))

  function signed(): Part {
    if (accept('-')) return calculated('-', { kind: 'number', at, f: () => 0 }, signed())
    const a = primary()
    return accept('^', '**') ? calculated('^', a, signed()) : a
  }

  function primary(): Part {
    const place = at
    const constant = is('true', 'false') ? Number(word === 'true') : held
    if (constant !== undefined) {
      const kind = held === undefined ? 'boolean' : (typeof constant as 'number' | 'string')
      next()
      return { kind, at: place, f: () => constant }
    }
    if (accept('(')) return list(')').reduce((_, p) => fail('expected )', p.at))
    const text = quoted ?? (word && plain.test(word) && !keywords.includes(word) ? word : fail('expected a value'))
    const free = word
    next()
    return free && accept('(') ? call(text, place) : name(text, place)
  }

  function name(name: string, place: number): Part {
    // Of a parameter in a repeated part, all instances.
    const each = columns.flatMap((c, i) => (c.static === name && c.name.includes('[') ? [i] : []))
    const ids = each.length ? each : columns.flatMap((c, i) => (c.name === name ? [i] : []))
    if (!ids.length) return { kind: '', at: place, name, f: () => NaN }
    if (each.length) {
      if (!inside) fail(`${name} has one value an instance: put it into sum(…), all(…), count(…) or the like`, place)
      if (count && count !== each.length) fail(`${name} has ${each.length} instances, another name in ${inside}() ${count}`, place)
      count = each.length
    }
    const slot = ids.map((id) => (slots.includes(id) ? slots.indexOf(id) : slots.push(id) - 1))
    const raw: Value = each.length ? (row, el) => x[slot[el]][row] : (row) => x[slot[0]][row]
    const { kind, values } = columns[ids[0]]
    if (kind === 'number') return { kind, at: place, name, f: raw }
    const truths = values?.length && values.every((v) => /^(true|false)$/.test(String(v)))
    // Instances may list different values; those of texts come with their block.
    const tables: unknown[][] = []
    const table = (el: number) => (tables[el] ??= columns[ids[el]].values!.map((v) => (truths ? Number(String(v) === 'true') : String(v))))
    return {
      kind: truths ? 'boolean' : 'string',
      at: place,
      name,
      f: (row, el) => {
        const k = raw(row, el)
        return k === k ? table(each.length && el)[k] : NaN
      },
    }
  }

  // several says whether the list that begins here has more than one member.
  function several(): boolean {
    const start = at
    let deep = 0
    for (; deep >= 0 && at < src.length && (deep || !is(',')); next()) deep += Number(is('(', '[')) - Number(is(')', ']'))
    const found = deep === 0 && is(',')
    token.lastIndex = start
    next()
    return found
  }

  function call(name: string, place: number): Part {
    if (!functions.includes(name)) {
      const near = nearest(name, functions)
      fail(`no function is named ${name}: ` + (near ? `did you mean ${near}?` : 'there are ' + functions.join(' ')), place)
    }
    const by = name + '()'
    const fold = !several() && folds[name]
    const outer = inside
    if (fold && outer) fail(`${by} stands inside ${outer}(): aggregates do not nest`, place)
    if (fold) {
      inside = name
      count = 0
    }
    const args = list(')')
    const [a] = args
    inside = outer
    if (args[1]) {
      if (!/^(min|max)$/.test(name)) fail(by + ' takes one value', place)
      const fs = args.map((p) => need(p, 'number', by).f)
      const best = name === 'min' ? Math.min : Math.max
      return { kind: 'number', at: place, f: (row, el) => best(...fs.map((f) => f(row, el))) }
    }
    if (/^(active|len)$/.test(name)) {
      if (a.name === undefined) fail(by + ' needs the name of a parameter', a.at)
      equal(args, false)
    } else need(a, /^(all|any|count)$/.test(name) ? 'boolean' : 'number', by)
    const { f } = a
    if (name === 'active') return truth(place, (row, el) => Number(f(row, el) === f(row, el)))
    if (!fold) return { kind: 'number', at: place, f: (row, el) => single[name](f(row, el)) }
    const instances = count
    // The smallest of one number is that.
    if (!instances) return /^(min|max)$/.test(name) ? { ...a, name: undefined } : fail(by + ' needs something repeated; this has one value', a.at)
    return {
      kind: /^(all|any)$/.test(name) ? 'boolean' : 'number',
      at: place,
      f: (row) => {
        let out = fold[0]
        for (let el = 0; el < instances; el++) {
          const v = f(row, el)
          if (v === v) out = fold[1](out, v)
        }
        return out
      },
    }
  }

  if (src.length > 8192) fail('this is too long')
  token.lastIndex = 0
  next()
  const { f } = need(expr(), 'boolean', 'the condition')
  if ((word ?? quoted ?? held) !== undefined) fail('expected an operator or the end')
  let bound: Loaded[] | undefined
  return {
    columns: slots,
    holds: (columns, row) => {
      if (columns !== bound) {
        bound = columns
        x = columns.map((c) => c.x)
      }
      return f(row, 0) === 1
    },
  }
}

export function compile(text: string, columns: Column[]): Condition {
  const everything = { columns: [], holds: () => true }
  try {
    return text.trim() ? read(text, columns) : everything
  } catch (e) {
    if (e instanceof RangeError) return { ...everything, error: 'this nests too deeply', at: 0 }
    if (!(e instanceof Mistake)) throw e
    return { ...everything, error: e.message, at: e.at }
  }
}
