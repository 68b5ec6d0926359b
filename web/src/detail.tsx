// The drawer: everything about one design, or up to four side by side.

import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import { decode, type Limit, type Loaded } from './data'
import { better, Copy, Drawing, drawing, quoted, trial, Value } from './bits'
import { cut, number, percent, title } from './format'
import { frontPlace, kinds } from './rows'
import { extent } from './scale'
import { hover, pick, picks, rowOf, store } from './state'
import './detail.css'

// A Line is one row of the drawer's table: a name, and a cell for each design.
interface Line {
  name: string
  depth: number
  title?: string
  texts?: string[] // of every design; they are marked where they differ
  cell: (row: number, k: number) => ComponentChildren
  head?: boolean // only the name
}

export function Detail() {
  const rows = picks.value
  const box = useRef<HTMLElement>(null)
  useRoom(rows.length, box)
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      const at = document.activeElement
      const by = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0
      if (!by || e.altKey || e.ctrlKey || e.metaKey || picks.value.length !== 1 || !(at === document.body || box.current?.contains(at))) return
      e.preventDefault()
      step(by)
    }
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [])
  if (!rows.length) return null
  const one = rows.length === 1
  const place = one ? frontPlace(rows[0]) : undefined
  const front = store.view.front.rows.length
  const count = place === undefined ? number(store.rows) : number(front)
  return (
    <aside ref={box} class="detail" aria-label="the designs picked">
      <header>
        <h2>{one ? `Trial ${trial(rows[0])}` : `${rows.length} designs`}</h2>
        {one && (
          <span class="steps screen">
            <button type="button" aria-label="the one before" title="left arrow" onClick={() => step(-1)}>
              ‹
            </button>
            <span class="muted">{place === undefined ? `${number(rows[0] + 1)} of ${count}` : `${place + 1} of ${count} on the front`}</span>
            <button type="button" aria-label="the next one" title="right arrow" onClick={() => step(1)}>
              ›
            </button>
          </span>
        )}
        <button type="button" class="plain screen" aria-label="close" title="Escape" onClick={() => (picks.value = [])}>
          ✕
        </button>
      </header>
      <Compare rows={rows} />
      {one && <Error_ row={rows[0]} />}
      <Buttons rows={rows} />
      {one && <p class="note screen">Shift-click another design to compare.</p>}
    </aside>
  )
}

let pressed = 0 // where the pointer was last pressed
addEventListener('pointerdown', (e) => (pressed = e.clientX), true)

// useRoom makes room for the drawer beside the page. If it covers what was
// clicked, the page moves.
function useRoom(designs: number, box: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() => {
    if (!designs) return
    const { body, documentElement: root } = document
    const measure = () => body.style.setProperty('--page', root.clientWidth + 'px')
    const old = body.classList.contains('with-drawer')
    measure()
    body.style.setProperty('--designs', String(designs))
    body.classList.add('with-drawer')
    if (!old && pressed > root.clientWidth - box.current!.offsetWidth) scrollBy(root.scrollWidth, 0)
    addEventListener('resize', measure)
    return () => removeEventListener('resize', measure)
  }, [designs])
  useLayoutEffect(() => () => document.body.classList.remove('with-drawer'), [designs > 0])
}

// step goes to the neighbour along the front, or by number for others.
function step(by: number): void {
  const row = picks.value[0]
  const line = store.view.front.rows
  const place = frontPlace(row)
  const next = place === undefined ? row + by : line[place + by]
  if (next >= 0 && next < store.rows) picks.value = [next]
}

function Compare({ rows }: { rows: readonly number[] }) {
  const { view } = store
  const sections: [string, Line[]][] = [
    ['', heads(rows)],
    ['Measured', measured(rows)],
    ['Parameters', parameters(rows)],
    ['How it came about', made(rows)],
  ]
  const any = view.drawings && rows.some((r) => drawing(r))
  return (
    <>
      {any && (
        <div class="drawings">
          {rows.map((r) => (
            <Drawing key={r} row={r} />
          ))}
        </div>
      )}
      <div class="scroll">
        <table>
          {sections.map(
            ([name, lines]) =>
              lines.length > 0 && (
                <tbody key={name}>
                  {name && (
                    <tr class="section">
                      <th colSpan={rows.length + 1}>{name}</th>
                    </tr>
                  )}
                  {lines.map((l, i) => {
                    const differs = l.texts && l.texts.some((t) => t !== l.texts![0])
                    return (
                      <tr key={i} class={l.head ? 'group' : differs ? 'differs' : undefined}>
                        <th style={{ paddingLeft: l.depth * 14 + 'px' }} title={l.title}>
                          {l.name}
                        </th>
                        {rows.map((r, k) => (
                          <td key={r} onPointerEnter={() => (hover.value = r)} onPointerLeave={() => (hover.value = -1)}>
                            {l.cell(r, k)}
                          </td>
                        ))}
                      </tr>
                    )
                  })}
                </tbody>
              ),
          )}
        </table>
      </div>
    </>
  )
}

function roles(row: number): string[] {
  const { front, answer } = store.view
  const out = answer.picks.filter((p) => p.row === row).map((p) => p.role)
  if (row === front.knee && !out.includes('knee')) out.push('knee')
  if (frontPlace(row) !== undefined && front.rows.length > 1) out.push(front.feasible ? 'on the front' : 'nearest to the limits')
  return out
}

function heads(rows: readonly number[]): Line[] {
  const { view } = store
  const out: Line[] = []
  if (rows.length > 1) {
    out.push({
      name: 'trial',
      depth: 0,
      cell: (r) => (
        <>
          <b>{trial(r)}</b>{' '}
          <button type="button" class="link screen" aria-label={`without trial ${trial(r)}`} onClick={() => pick(r, true)}>
            ✕
          </button>
        </>
      ),
    })
  }
  const state = view.columns.findIndex((c) => c.part === 'record' && c.name === 'state')
  out.push({ name: 'state', depth: 0, cell: (r) => <Value id={state} row={r} /> })
  if (rows.some((r) => roles(r).length)) out.push({ name: 'what it is', depth: 0, cell: (r) => <span class="role">{roles(r).join(', ')}</span> })
  const label = (r: number) => view.front.labels?.[frontPlace(r) ?? -1] ?? ''
  if (rows.some(label)) out.push({ name: 'in short', depth: 0, cell: (r) => <span title={cut(label(r), 1000)}>{cut(label(r), 160)}</span> })
  return out
}

const ranks = new Map<string, { worse: number; of: number }>()

// rank counts the measured trials whose value is worse, or smaller where neither
// is better. target is the value wanted, if there is one.
function rank(c: Loaded, row: number, target?: number) {
  const key = c.id + ' ' + row
  const known = ranks.get(key)
  const kind = kinds()
  if (known || !kind) return known
  const how = (x: number) => (target !== undefined ? -Math.abs(x - target) : c.meta.better === 'low' ? -x : x)
  const mine = how(c.x[row])
  let worse = 0
  let of = 0
  for (let r = 0; r < c.x.length; r++) {
    if (!kind[r] || c.x[r] !== c.x[r] || r === row) continue
    of++
    if (how(c.x[r]) < mine) worse++
  }
  const out = { worse, of }
  ranks.set(key, out)
  return out
}

function met(l: Limit, x: number): boolean {
  return l.op === '<=' ? x <= l.bound : l.op === '<' ? x < l.bound : l.op === '>=' ? x >= l.bound : l.op === '>' ? x > l.bound : x === l.bound
}

const signs: Record<string, string> = { '<=': '≤', '>=': '≥', '==': '=' }

function measured(rows: readonly number[]): Line[] {
  const { columns, goal, front } = store.view
  const first = goal.objectives.map((o) => o.column)
  const ids = [...first.filter((id) => id >= 0), ...columns.flatMap((c, id) => (c.part === 'metric' && !first.includes(id) ? [id] : []))]
  const lines = ids.flatMap((id): Line[] => {
    const c = store.column(id)
    const meta = columns[id]
    if (c && rows.every((r) => c.x[r] !== c.x[r])) return []
    const target = goal.objectives.find((o) => o.column === id)?.target
    const directed = meta.better !== undefined || target !== undefined
    return [
      {
        name: `${cut(meta.name, 60)} ${better(meta)}`,
        depth: 0,
        title: [title(meta), meta.doc].filter(Boolean).join('\n'),
        texts: c && rows.map((r) => String(c.x[r])),
        cell: (r) => {
          const where = c && c.x[r] === c.x[r] && rank(c, r, target)
          const limits = goal.limits.filter((l) => l.column === id)
          return (
            <>
              {first.includes(id) ? (
                <b>
                  <Value id={id} row={r} unit />
                </b>
              ) : (
                <Value id={id} row={r} unit />
              )}
              {c &&
                limits.map((l) => {
                  const kept = met(l, c.x[r])
                  const title = `${kept ? 'keeps' : 'misses'} ${l.text}${l.soft ? ' (soft)' : ''}`
                  return (
                    <span key={l.text} class={kept ? 'good-ink' : 'bad-ink'} title={title}>
                      {' '}
                      {kept ? '✓' : '✗'} {signs[l.op] ?? l.op} {number(l.bound)}
                    </span>
                  )
                })}
              {where && where.of > 0 && (
                <Bar
                  share={where.worse / where.of}
                  dot={!directed}
                  title={`${directed ? 'better' : 'larger'} than ${percent(where.worse / where.of)} of ${number(where.of)} other measured trials`}
                />
              )}
            </>
          )
        },
      },
    ]
  })
  if (rows.some((r) => frontPlace(r) !== undefined)) {
    for (const v of front.verified ?? []) {
      const of = (r: number) => v.values[frontPlace(r) ?? -1] ?? NaN
      lines.push({
        name: `${cut(v.metric, 60)} ${better(v)}`,
        depth: 0,
        title: 'measured afterwards; the search did not see it',
        texts: rows.map((r) => String(of(r))),
        cell: (r) => (
          <span title={String(of(r))}>
            {number(of(r))} <small>{v.unit} verified</small>
          </span>
        ),
      })
    }
  }
  return lines
}

// Bar shows a share of 1: as its length, or as a dot for where it lies.
function Bar(p: { share: number; dot?: boolean; title: string }) {
  const at = 100 * Math.min(Math.max(p.share, 0), 1) + '%'
  return (
    <span class={p.dot ? 'place' : 'place filled'} title={p.title} role="img" aria-label={p.title}>
      <i style={p.dot ? { left: at } : { width: at }} />
    </span>
  )
}

// parameters follows the tree of the space. What no design has is left out.
function parameters(rows: readonly number[]): Line[] {
  const { tree, columns } = store.view
  const ids = useMemo(() => new Map(columns.map((c, i) => [c.name, i])), [])
  const kids = useMemo(() => {
    const m = new Map<number, number[]>()
    tree.forEach((n, i) => m.set(n.parent, [...(m.get(n.parent) ?? []), i]))
    return m
  }, [])
  const column = (name: string): Loaded | undefined => {
    // A parameter whose name was taken has a prefix.
    const own = ids.get(name)
    const id = own !== undefined && columns[own].part === 'param' ? own : ids.get('design.' + name)
    return id === undefined ? undefined : store.column(id)
  }
  const has = (c: Loaded | undefined, row: number) => !!c && c.x[row] === c.x[row]

  const below = (parent: number, prefix: string, depth: number): Line[] =>
    (kids.get(parent) ?? []).flatMap((k): Line[] => {
      const n = tree[k]
      const each = n.kind !== 'case' && n.parent >= 0 && tree[n.parent].kind === 'repeat' && n.path === tree[n.parent].path
      const name = each ? prefix : prefix ? prefix + '.' + n.name : n.name
      const about = [name, n.domain, n.when && 'when ' + n.when, n.doc].filter(Boolean).join('\n')
      const line = (texts: string[], cell: Line['cell'], shown = each ? name.slice(name.lastIndexOf('[')) : n.name): Line => ({
        name: cut(n.unit ? `${shown} (${n.unit})` : shown, 80),
        depth,
        title: cut(about, 1500),
        texts,
        cell,
      })
      // words are texts made from several columns.
      const words = (mark: string, text: (parts: [string, number][]) => string): Line[] => {
        const parts = n.columns.flatMap((id) => {
          const c = columns[id].name.startsWith(name + mark) && store.column(id)
          return c ? [[columns[id].name.slice((name + mark).length), c] as const] : []
        })
        if (!parts.some(([, c]) => rows.some((r) => has(c, r)))) return []
        const texts = rows.map((r) => text(parts.map(([s, c]) => [s, c.x[r]])))
        return [line(texts, (_, i) => <span title={cut(texts[i], 1000)}>{cut(texts[i], 200)}</span>)]
      }
      switch (n.kind) {
        case 'group': {
          const inner = below(k, name, depth + 1)
          return inner.length ? [{ name: n.name, depth, title: about, head: true, cell: () => null }, ...inner] : []
        }
        case 'case':
          return below(k, name, depth)
        case 'rule':
          return []
        case 'subset':
          return words(' has ', (parts) => {
            const some = parts.flatMap(([s, x]) => (x === 1 ? [s] : [])).join(', ')
            return some || (parts.some(([, x]) => x === x) ? 'none' : '–')
          })
        case 'permutation':
          return words(' place of ', (parts) =>
            parts
              .filter(([, x]) => x === x)
              .sort((a, b) => a[1] - b[1])
              .map(([s]) => s)
              .join(' › ') || '–',
          )
      }
      const c = column(name)
      const out: Line[] = []
      if (c && rows.some((r) => has(c, r))) {
        const texts = rows.map((r) => String(c.meta.kind === 'number' ? c.x[r] : (c.meta.values?.[c.x[r]] ?? '')))
        out.push(
          line(texts, (r) => (
            <>
              <Value id={c.id} row={r} />
              {has(c, r) && <Place of={c} x={c.x[r]} domain={n.domain} />}
            </>
          )),
        )
      }
      if (n.kind === 'repeat') {
        const own = tree[kids.get(k)?.[0] ?? -1]?.path === n.path
        const most = c ? Math.max(0, ...rows.map((r) => (has(c, r) ? c.x[r] : 0))) : 0
        for (let i = 0; i < Math.min(most, 200); i++) {
          const inner = below(k, `${name}[${i}]`, depth + (own ? 1 : 2))
          if (inner.length && !own) out.push({ name: `${n.name}[${i}]`, depth: depth + 1, head: true, cell: () => null })
          out.push(...inner)
        }
      } else out.push(...below(k, name, depth + 1))
      return out
    })
  return below(-1, '', 0)
}

// Place is a thin line for the range of a parameter with a dot for its value.
function Place({ of: { meta }, x, domain }: { of: Loaded; x: number; domain: string }) {
  const ordered = meta.kind === 'number' || meta.ordered
  if (!ordered || meta.kind === 'text') return null
  let [low, high] = meta.low !== undefined && meta.high !== undefined ? [meta.low, meta.high] : extent(meta)
  if (meta.log && low > 0) [low, high, x] = [Math.log(low), Math.log(high), Math.log(x)]
  return high > low ? <Bar dot share={(x - low) / (high - low)} title={domain} /> : null
}

// made says how the designs came about: times, operator, parents.
function made(rows: readonly number[]): Line[] {
  const { columns, lineage } = store.view
  const known = ['number', 'state', 'error']
  const lines = columns.flatMap((c, id): Line[] => {
    if (c.part !== 'record' || known.includes(c.name)) return []
    const l = store.column(id)
    if (!l || !rows.some((r) => l.x[r] === l.x[r])) return []
    return [{ name: c.name.replace('_', ' '), depth: 0, title: c.doc, cell: (r) => <Value id={id} row={r} unit /> }]
  })
  if (lineage) {
    const at = store.block('lineage.at')
    const numbers = store.block('lineage.number')
    const blocks = useMemo(() => at && numbers && [decode(at, 'u32'), decode(numbers, 'i32')], [at, numbers])
    if (blocks && rows.some((r) => blocks[0][r] < blocks[0][r + 1])) {
      lines.push({
        name: 'made from',
        depth: 0,
        title: 'the trials whose designs this one was made from',
        cell: (r) => {
          const parents = Array.from(blocks[1].subarray(blocks[0][r], Math.min(blocks[0][r + 1], blocks[0][r] + 12)))
          return parents.length ? parents.map((n, i) => <Parent key={i} number={n} first={i === 0} />) : '–'
        },
      })
    }
  }
  return lines
}

function Parent(p: { number: number; first: boolean }) {
  const row = rowOf(p.number)
  return (
    <>
      {!p.first && ', '}
      {row < 0 ? (
        <span title="not among the rows of this report">{number(p.number)}</span>
      ) : (
        <button
          type="button"
          class="link"
          title="show it; with Shift beside this one"
          onPointerEnter={() => (hover.value = row)}
          onClick={(e) => pick(row, e.shiftKey)}
        >
          {number(p.number)}
        </button>
      )}
    </>
  )
}

function Error_({ row }: { row: number }) {
  const id = store.view.columns.findIndex((c) => c.part === 'record' && c.name === 'error')
  const c = store.column(id)
  if (!c || c.x[row] !== c.x[row]) return null
  return (
    <>
      <h3>What went wrong</h3>
      <pre class="error" tabIndex={0}>
        {String(c.meta.values?.[c.x[row]] ?? '')}
      </pre>
    </>
  )
}

function Buttons({ rows }: { rows: readonly number[] }) {
  const file = quoted(store.view.study.file)
  const numbers = rows.map((r) => store.column(0)?.x[r])
  const each = (verb: string) => () => numbers.map((n) => `daedalus ${verb} ${file} --trial ${n}`).join('\n')
  return (
    <div class="tools">
      <span class="muted">Copy the command to</span>
      <Copy text={each('enqueue')} title={each('enqueue')()}>
        {rows.length > 1 ? 'run these again' : 'run this design again'}
      </Copy>
      <Copy text={each('export')} title={each('export')()}>
        export
      </Copy>
      <Copy text={() => location.href} title="the address of this page as it stands, with what is picked and selected">
        copy address
      </Copy>
    </div>
  )
}
