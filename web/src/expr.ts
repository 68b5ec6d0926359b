// Conditions over columns, in the language of `daedalus trials --where`
// (internal/expr in Go, which expr.cases.json holds both to). A condition is
// compiled into closures: numbers that are undefined are NaN, truths 0, 1 or 2
// for undefined, strings undefined.

import type { Column, Loaded } from './data'

export interface Condition {
  error?: string
  at?: number // where in the text the mistake is
  columns: number[] // the columns that holds reads, in its order
  holds(columns: Loaded[], row: number): boolean
}

type Kind = '' | 'number' | 'boolean' | 'string'

interface Node {
  op: string
  at: number // of its operator
  from: number // of its first word
  kids: Node[]
  ops?: string[] // of a chain: between the kids
  value: string | number | boolean // of a constant, or the name
}

class Mistake extends Error {
  constructor(
    readonly at: number,
    message: string,
  ) {
    super(message)
  }
}

const aggregates = ['sum', 'len', 'count', 'all', 'any']
export const functions = ['abs', 'floor', 'ceil', 'round', 'sqrt', 'log', 'log2', 'exp', 'min', 'max', 'active', ...aggregates]
const keywords = ['and', 'or', 'not', 'in', 'true', 'false']
const comparisons = ['==', '!=', '<', '<=', '>', '>=']

// A token.
const token = new RegExp(
  '[ \\t\\r\\n]*(?:' +
    [
      /((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\p{L}\p{Nd}_])/u, // a number
      /((?:and|or|not|in|true|false)(?=\[)|[\p{L}_][\p{L}\p{Nd}_]*(?:\.[\p{L}\p{Nd}_]+|\[\d+\])*)/u, // a name; keywords have no index
      /`([^`\n\r]+)`/u,
      /('(?:[^'\\]|\\[\\'"nrt])*'|"(?:[^"\\]|\\[\\'"nrt])*")/u,
      /(=>|[=!<>]=|&&|\|\||\*\*|[<>!+\-*/%^()[\],?:=])/u,
    ]
      .map((r) => r.source)
      .join('|') +
    '|$)',
  'uy',
)

function parse(src: string): Node {
  let at = 0 // of the token
  let word: string | undefined // of a name, keyword or operator
  let raw: string | undefined // of a name in backquotes
  let held: string | number | undefined // of a constant
  let nest = 0

  const fail = (want: string, place = at): never => {
    throw new Mistake(place, 'expected ' + want)
  }
  if (src.length > 1 << 14) fail('a shorter condition')

  function next(): void {
    const before = token.lastIndex
    const m = token.exec(src)
    if (!m) {
      at = before + /^[ \t\r\n]*/.exec(src.slice(before))![0].length
      const c = src[at]
      if (c === '"' || c === "'") fail(`a closing ${c}, with the escapes \\\\ \\' \\" \\n \\r \\t before it`)
      if (c === '`') fail('a name in backquotes on one line')
      fail(c >= '0' && c <= '9' ? 'a number, or quotes around a word that begins with a digit' : 'an operator, a name, a number or a string')
    }
    const [all, digits, name, quoted, string, operator] = m!
    at = token.lastIndex - all.trimStart().length
    word = name ?? operator
    raw = quoted
    held = digits !== undefined ? Number(digits) : string?.slice(1, -1).replace(/\\(.)/g, (_, c: string) => ({ n: '\n', r: '\r', t: '\t' })[c] ?? c)
    if (held === Infinity) fail('a number below 1.8e308')
  }
  const is = (...texts: string[]) => word !== undefined && texts.includes(word)
  const accept = (...texts: string[]) => is(...texts) && (next(), true)
  const expect = (text: string, want = `'${text}'`) => accept(text) || fail(want)
  const node = (op: string, at: number, kids: Node[], value: Node['value'] = ''): Node => {
    return { op, at, from: Math.min(at, ...kids.map((k) => k.from)), kids, value }
  }
  const nested = (f: () => Node) => (): Node => {
    if (++nest > 200) fail('at most 200 levels of nesting')
    const n = f()
    nest--
    return n
  }

  const expr: () => Node = nested(() => {
    const c = implies()
    const place = at
    if (!accept('?')) return c
    const a = expr()
    expect(':')
    return node('?', place, [c, a, expr()])
  })
  const implies: () => Node = nested(() => {
    const a = or()
    const place = at
    return accept('=>') ? node('=>', place, [a, implies()]) : a
  })
  const joined = (op: string, sign: string, part: () => Node) => () => {
    const a = part()
    const place = at
    const kids = [a]
    while (accept(op, sign)) kids.push(part())
    return kids.length > 1 ? node(op, place, kids) : a
  }
  const not: () => Node = nested(() => {
    const place = at
    return accept('not', '!') ? node('not', place, [not()]) : compare()
  })
  const or = joined('or', '||', joined('and', '&&', not))
  const list = (kids: Node[], end: string) => {
    do kids.push(expr())
    while (accept(','))
    expect(end, `',' or '${end}'`)
    return kids
  }

  function compare(): Node {
    const a = sum()
    const place = at
    if (is('in', 'not')) {
      const op = accept('not') ? 'not in' : 'in'
      expect('in')
      expect('[')
      return node(op, place, list([a], ']'))
    }
    const kids = [a]
    const ops: string[] = []
    while (is(...comparisons)) {
      ops.push(word!)
      const two = (o: string) => ops.some((p) => p[0] === o)
      if ((ops.length > 1 && two('!')) || (two('<') && two('>'))) fail("comparisons of a chain to point one way, without !=: join two with 'and'")
      next()
      kids.push(sum())
    }
    if (is('=')) fail('== for comparison')
    return ops.length ? { ...node(ops.length > 1 ? 'chain' : ops[0], place, kids), ops: ops.length > 1 ? ops : undefined } : a
  }
  const left = (ops: string[], part: () => Node) => () => {
    let a = part()
    for (let n = 0; is(...ops); n++) {
      if (n === 1000) fail('at most 1000 operators in one chain')
      const [op, place] = [word!, at]
      next()
      a = node(op, place, [a, part()])
    }
    return a
  }
  const unary: () => Node = nested(() => {
    const place = at
    if (accept('-')) return node('neg', place, [unary()])
    const a = primary()
    const power = at
    return accept('^', '**') ? node('^', power, [a, unary()]) : a
  })
  const sum = left(['+', '-'], left(['*', '/', '%'], unary))

  function primary(): Node {
    const place = at
    const constant = held ?? (is('true', 'false') ? word === 'true' : undefined)
    if (constant !== undefined) {
      next()
      return node('const', place, [], constant)
    }
    if (accept('(')) {
      const n = expr()
      expect(')')
      return n
    }
    const name = raw ?? word
    if (name === undefined || (word !== undefined && (keywords.includes(word) || !/[\p{L}_]/u.test(word)))) fail('a value')
    const plain = word !== undefined
    next()
    return plain && is('(') ? call(name!, place) : node('name', place, [], name)
  }

  function call(name: string, place: number): Node {
    if (!functions.includes(name)) {
      const near = nearest(name, functions)
      fail(near ? `a function: did you mean ${near}?` : 'one of the functions ' + functions.join(' '), place)
    }
    next()
    const kids = list([], ')')
    if (kids.length > 1 && name !== 'min' && name !== 'max') fail(`one argument of ${name}()`, place)
    if ((name === 'active' || name === 'len') && kids[0].op !== 'name') fail('the name of a parameter', kids[0].at)
    return node(name === 'active' ? name : 'call', place, kids, name)
  }

  token.lastIndex = 0
  next()
  const root = expr()
  if (word !== undefined || raw !== undefined || held !== undefined) fail('an operator or the end')
  return root
}

// nearest returns the candidate with the fewest edits to a name, if near enough
// to be what was meant.
function nearest(name: string, candidates: string[]): string {
  let best = ''
  let least = Math.max(1, Math.floor(name.length / 3)) + 1
  const a = name.toLowerCase()
  for (const c of candidates) {
    if (Math.abs(c.length - name.length) >= least) continue
    const b = c.toLowerCase()
    let before: number[] = []
    let above: number[] = []
    let row = Array.from({ length: b.length + 1 }, (_, j) => j)
    for (let i = 0; i < a.length; i++) {
      ;[before, above, row] = [above, row, [i + 1]]
      for (let j = 0; j < b.length; j++) {
        let d = a[i] === b[j] ? above[j] : 1 + Math.min(above[j], above[j + 1], row[j])
        if (i && j && a[i] === b[j - 1] && a[i - 1] === b[j]) d = Math.min(d, before[j - 1] + 1)
        row.push(d)
      }
    }
    if (row[b.length] < least) {
      least = row[b.length]
      best = c
    }
  }
  return best
}

// A Part is a compiled piece: f gives its value for a row, and inside an
// aggregate for one instance.
type F = (row: number, el: number) => any // number, truth or string, as kind says
interface Part {
  kind: Kind
  f: F
}

type Test = (x: any) => boolean
const lacking: Record<Kind, Test> = { '': () => true, number: (x) => x !== x, boolean: (x) => x === 2, string: (x) => x === undefined }
const nothing: Record<Kind, unknown> = { '': NaN, number: NaN, boolean: 2, string: undefined }

// flip is not: true and false change places.
const flip = (t: number) => (t === 2 ? 2 : 1 - t)

const arithmetic: Record<string, (x: number, y: number) => number> = {
  '+': (x, y) => x + y,
  '-': (x, y) => x - y,
  '*': (x, y) => x * y,
  '/': (x, y) => (y === 0 ? NaN : x / y),
  '%': (x, y) => {
    const m = x % y
    return m !== 0 && m < 0 !== y < 0 ? m + y : m // the sign of y
  },
  '^': (x, y) => {
    if (x !== x || y !== y || (x === 0 && y < 0)) return NaN
    return Math.abs(x) === 1 && Math.abs(y) === Infinity ? 1 : x ** y
  },
}

const order: Record<string, (x: number, y: number) => boolean> = {
  '<': (x, y) => x < y,
  '<=': (x, y) => x <= y,
  '>': (x, y) => x > y,
  '>=': (x, y) => x >= y,
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
  // Halves go away from zero.
  round: (x) => {
    const t = Math.trunc(x)
    return Math.abs(x - t) >= 0.5 ? t + Math.sign(x) : t
  },
}

// boolean says whether a column holds truth values.
function boolean(c: Column): boolean {
  return c.kind !== 'number' && !!c.values?.length && c.values.every((v) => String(v) === 'true' || String(v) === 'false')
}

// names lists what a condition can name: columns, and parameters of repeated
// parts without their indexes.
export function names(columns: Column[]): string[] {
  return [...new Set(columns.flatMap((c) => (c.static && c.static !== c.name ? [c.name, c.static] : [c.name])))]
}

// quoteName puts a name into backquotes where it does not read as one.
export function quoteName(name: string): string {
  try {
    const n = parse(name)
    if (n.op === 'name' && n.value === name) return name
  } catch {
    // not a name as it stands
  }
  return '`' + name + '`'
}

export function compile(text: string, columns: Column[]): Condition {
  const condition: Condition = { columns: [], holds: () => true }
  if (!text.trim()) return condition

  const mistakes: Mistake[] = []
  const wrong = (at: number, message: string) => void mistakes.push(new Mistake(at, message))
  const slots = new Map<number, number>() // column → slot
  let x: Loaded['x'][] = [] // values by slot

  const byName = new Map(columns.map((c, i) => [c.name, i]))
  const byStatic = new Map<string, number[]>() // instances of a parameter in a repeated part
  columns.forEach((c, i) => {
    if (c.static && c.name.includes('[')) byStatic.set(c.static, [...(byStatic.get(c.static) ?? []), i])
  })
  const find = (name: string): { ids: number[]; repeated: boolean } => {
    const each = name.includes('[') ? undefined : byStatic.get(name)
    const one = byName.get(name)
    return each ? { ids: each, repeated: true } : { ids: one === undefined ? [] : [one], repeated: false }
  }
  const exists = (name: Node['value']) => find(String(name)).ids.length > 0

  let inside = '' // the aggregate we are in
  let count = -1 // its instances; -1 if none were seen yet

  // bareWord says whether a kid of a comparison is a string for want of a column
  // of that name: another operand is a name that does exist.
  function bareWord(n: Node, i: number): boolean {
    const k = n.kids[i]
    const named = (o: Node) => o.op === 'name' && exists(o.value)
    if (k.op !== 'name' || exists(k.value)) return false
    if (n.op === 'in' || n.op === 'not in') return i > 0 && named(n.kids[0])
    if (n.ops?.some((o) => o !== '==')) return false
    return n.kids.some((o, j) => j !== i && named(o))
  }

  function unknown(n: Node): void {
    const near = nearest(String(n.value), names(columns))
    wrong(n.at, `nothing is named ${n.value}` + (near ? `: did you mean ${near}?` : ''))
  }

  // slot returns how to read a name's value from a row.
  function name(n: Node): Part {
    const { ids, repeated } = find(String(n.value))
    if (!ids.length) {
      unknown(n)
      return { kind: '', f: () => NaN }
    }
    if (repeated && !inside) {
      wrong(n.at, `${n.value} has one value an instance: put it into sum(...), all(...), count(...) or the like`)
    } else if (repeated && count >= 0 && count !== ids.length) {
      wrong(n.at, `${n.value} has ${ids.length} instances, another name in ${inside}() ${count}`)
    }
    if (repeated) count = ids.length
    const at = ids.map((id) => {
      if (!slots.has(id)) slots.set(id, slots.size)
      return slots.get(id)!
    })
    const first = at[0]
    const number: F = repeated ? (row, el) => x[at[el]][row] : (row) => x[first][row]
    const c = columns[ids[0]]
    if (c.kind === 'number') return { kind: 'number', f: number }
    // Instances may list different values; those of texts come with their block.
    const truths = boolean(c)
    const tables: (string | number)[][] = []
    const table = (el: number) => (tables[el] ??= columns[ids[el]].values!.map((v) => (truths ? Number(String(v) === 'true') : String(v))))
    const none = truths ? 2 : undefined
    return {
      kind: truths ? 'boolean' : 'string',
      f: (row, el) => {
        const k = number(row, el)
        return k === k ? table(repeated ? el : 0)[k] : none
      },
    }
  }

  function need(n: Node, want: Kind, by: string): F {
    const { kind, f } = build(n)
    if (kind && want && kind !== want) wrong(n.from, `${by} needs a ${want}; this is a ${kind}`)
    return f
  }

  function comparison(n: Node): F {
    const ordered = n.ops?.find((o) => o !== '==')
    const parts = n.kids.map((k, i): Part => {
      if (ordered) return { kind: 'number', f: need(k, 'number', `'${ordered}'`) }
      const value = k.value
      return bareWord(n, i) ? { kind: 'string', f: () => value } : build(k)
    })
    if (!ordered) {
      for (let i = 1; i < parts.length; i++) {
        const j = n.op === 'chain' ? i - 1 : 0
        const [a, b] = [parts[j].kind, parts[i].kind]
        if (!a || !b || a === b) continue
        const w = n.kids[bareWord(n, j) ? j : i]
        // 'width == widht': rather a misspelt name than a string.
        if (w.op === 'name' && !exists(w.value)) unknown(w)
        else wrong(n.kids[i].from, `a ${a} and a ${b} are never equal`)
      }
    }
    const compared = (op: string, a: Part, b: Part): F => {
      const lack = lacking[a.kind]
      const same = op === '=='
      return (row, el) => {
        const p = a.f(row, el)
        const q = b.f(row, el)
        if (lack(p) || lack(q)) return 2
        return (order[op] ? order[op](p, q) : (p === q) === same) ? 1 : 0
      }
    }
    if (n.ops) return all(n.ops.map((op, i) => compared(op, parts[i], parts[i + 1])))
    if (n.op === '==' || n.op === '!=') return compared(n.op, parts[0], parts[1])
    const lack = lacking[parts[0].kind]
    const list = parts.slice(1).map((p) => compared('==', parts[0], p))
    const some = any(list)
    const among: F = (row, el) => (lack(parts[0].f(row, el)) ? 2 : some(row, el))
    return n.op === 'in' ? among : (row, el) => flip(among(row, el))
  }

  // any and all follow Kleene's strong logic.
  const any = (fs: F[]): F => (row, el) => {
    let out = 0
    for (const f of fs) {
      const t = f(row, el)
      if (t === 1) return 1
      if (t === 2) out = 2
    }
    return out
  }
  const all = (fs: F[]): F => {
    const some = any(fs.map((f) => (row, el) => flip(f(row, el))))
    return (row, el) => flip(some(row, el))
  }

  function call(n: Node): Part {
    const name = String(n.value)
    const one = n.kids.length === 1
    if (!aggregates.includes(name) && !(one && (name === 'min' || name === 'max'))) {
      const fs = n.kids.map((k) => need(k, 'number', name + '()'))
      const f = fs[0]
      const g = single[name]
      if (g) return { kind: 'number', f: (row, el) => g(f(row, el)) }
      const best = name === 'min' ? Math.min : Math.max
      return { kind: 'number', f: (row, el) => fs.reduce((b, f) => best(b, f(row, el)), name === 'min' ? Infinity : -Infinity) }
    }
    if (inside) {
      wrong(n.at, `${name}() stands inside ${inside}(): aggregates do not nest`)
      return { kind: '', f: () => NaN }
    }
    inside = name
    count = -1
    const before = mistakes.length
    const truth = name === 'all' || name === 'any'
    const part = name === 'len' ? build(n.kids[0]) : undefined
    const f = part?.f ?? need(n.kids[0], truth || name === 'count' ? 'boolean' : 'number', name + '()')
    inside = ''
    const instances = count
    if (instances < 0) {
      if (name !== 'min' && name !== 'max' && mistakes.length === before) {
        wrong(n.kids[0].from, `${name}() needs something repeated; this has one value`)
      }
      return { kind: truth ? 'boolean' : 'number', f } // the smallest of one number
    }
    // Instances for which the argument is undefined are left out.
    if (truth) {
      const stop = name === 'any' ? 1 : 0
      return {
        kind: 'boolean',
        f: (row) => {
          for (let el = 0; el < instances; el++) if (f(row, el) === stop) return stop
          return 1 - stop
        },
      }
    }
    const lack = lacking[part ? part.kind : 'number']
    return {
      kind: 'number',
      f: (row) => {
        let total = 0
        let best = NaN
        for (let el = 0; el < instances; el++) {
          const v = f(row, el)
          if (name === 'count') total += v === 1 ? 1 : 0
          else if (lack(v)) continue
          else if (name === 'len') total++
          else {
            total += v
            if (best !== best || (name === 'min' ? v < best : v > best)) best = v
          }
        }
        return name === 'min' || name === 'max' ? best : total
      },
    }
  }

  function build(n: Node): Part {
    const [a, b, c] = n.kids
    switch (n.op) {
      case 'const': {
        const v = n.value
        const held = typeof v === 'boolean' ? Number(v) : v
        return { kind: typeof v as Kind, f: () => held }
      }
      case 'name':
        return name(n)
      case '?': {
        const t = need(a, 'boolean', "the condition before '?'")
        const p = build(b)
        const q = build(c)
        const kind = p.kind || q.kind
        if (p.kind && q.kind && p.kind !== q.kind) {
          wrong(c.from, `both values must be of one kind; these are a ${p.kind} and a ${q.kind}`)
        }
        return {
          kind,
          f: (row, el) => {
            const which = t(row, el)
            return which === 2 ? nothing[kind] : (which ? p : q).f(row, el)
          },
        }
      }
      case '=>':
      case 'or':
      case 'and':
      case 'not': {
        const fs = n.kids.map((k) => need(k, 'boolean', `'${n.op}'`))
        const negated: F = (row, el) => flip(fs[0](row, el))
        return { kind: 'boolean', f: n.op === 'not' ? negated : n.op === 'and' ? all(fs) : any(n.op === 'or' ? fs : [negated, fs[1]]) }
      }
      case '==':
      case '!=':
      case 'in':
      case 'not in':
      case 'chain':
        return { kind: 'boolean', f: comparison(n) }
      case 'active': {
        const p = build(a)
        const lack = lacking[p.kind]
        return { kind: 'boolean', f: (row, el) => (lack(p.f(row, el)) ? 0 : 1) }
      }
      case 'call':
        return call(n)
    }
    const f = need(a, 'number', `'${n.op === 'neg' ? '-' : n.op}'`)
    if (n.op === 'neg') return { kind: 'number', f: (row, el) => -f(row, el) }
    const g = need(b, 'number', `'${n.op}'`)
    const calculate = arithmetic[n.op]
    if (calculate) return { kind: 'number', f: (row, el) => calculate(f(row, el), g(row, el)) }
    const compare = order[n.op]
    return {
      kind: 'boolean',
      f: (row, el) => {
        const p = f(row, el)
        const q = g(row, el)
        return p !== p || q !== q ? 2 : compare(p, q) ? 1 : 0
      },
    }
  }

  try {
    const f = need(parse(text), 'boolean', 'the condition')
    if (mistakes.length) throw mistakes.reduce((first, m) => (m.at < first.at ? m : first))
    let bound: Loaded[] | undefined
    return {
      columns: [...slots.keys()],
      holds: (columns, row) => {
        if (columns !== bound) {
          bound = columns
          x = columns.map((c) => c.x)
        }
        return f(row, 0) === 1
      },
    }
  } catch (e) {
    if (!(e instanceof Mistake)) throw e
    return { ...condition, error: e.message, at: e.at }
  }
}
