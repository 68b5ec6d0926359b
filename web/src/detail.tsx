// The drawer: everything about one design, or up to four side by side.

import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useMemo, useRef } from 'preact/hooks'
import type { Limit, Loaded } from './data'
import { better, Copy, CopyAddress, Drawing, trial, unseen, Value } from './bits'
import { cut, number, percent, title, value } from './format'
import { arrow } from './plot'
import { frontPlace, has, kinds, metrics, objectives, record, roles, short, those } from './rows'
import { clamp, extent } from './scale'
import { hover, pick, picks, store } from './state'

// A Line is one row of the drawer's table: a name, and a cell for each design.
interface Line {
  name: string
  depth?: number
  title?: string
  texts?: string[] // of every design; they are marked where they differ
  cell?: (row: number, k: number) => ComponentChildren // none of a heading
}

export function Detail() {
  const rows = picks.value
  const box = useRef<HTMLElement>(null)
  useLayoutEffect(() => {
    // The page makes room for the drawer where there is some.
    document.body.classList.toggle('with-drawer', rows.length > 0)
    document.body.style.setProperty('--open', 310 + 110 * rows.length + 'px')
  }, [rows.length])
  useEffect(() => {
    const key = (e: KeyboardEvent) => {
      const at = document.activeElement
      if (!arrow(e) || e.altKey || e.ctrlKey || e.metaKey || picks.value.length !== 1 || !(at === document.body || box.current!.contains(at))) return
      e.preventDefault()
      step(arrow(e))
    }
    addEventListener('keydown', key)
    return () => removeEventListener('keydown', key)
  }, [])
  if (!rows.length) return null
  const place = frontPlace(rows[0])
  const sections: [string, Line[]][] = [
    ['', heads(rows)],
    ['Measured', measured(rows)],
    ['Parameters', parameters(rows)],
    ['How it came about', made(rows)],
  ]
  const id = record('error')
  const error = store.column(id)
  return (
    <aside ref={box} class="detail" aria-label="the designs picked">
      <header>
        <h2>{rows.length === 1 ? `Trial ${trial(rows[0])}` : `${rows.length} designs`}</h2>
        {rows.length === 1 && (
          <span class="tools">
            <button aria-label="the one before" title="left arrow" onClick={() => step(-1)}>
              ‹
            </button>
            <small class="muted">
              {place < 0 ? `${number(rows[0] + 1)} of ${number(store.rows)}` : `${place + 1} of ${number(store.view.front.rows.length)} on the front`}
            </small>
            <button aria-label="the next one" title="right arrow" onClick={() => step(1)}>
              ›
            </button>
          </span>
        )}
        <button class="plain screen" aria-label="close" title="Escape" onClick={() => (picks.value = [])}>
          ✕
        </button>
      </header>
      <div class="drawings">
        {rows.map((r) => (
          <Drawing row={r} />
        ))}
      </div>
      <div class="scroll">
        <table>
          {sections.map(
            ([name, lines]) =>
              lines.length > 0 && (
                <tbody>
                  {name && (
                    <tr class="section">
                      <th colSpan={rows.length + 1}>{name}</th>
                    </tr>
                  )}
                  {lines.map((l) => (
                    <tr class={l.texts?.some((t) => t !== l.texts![0]) ? 'differs' : l.cell ? '' : 'group'}>
                      <th style={{ paddingLeft: (l.depth ?? 0) * 14 + 'px' }} title={cut(l.title ?? '', 1500)}>
                        {cut(l.name, 80)}
                      </th>
                      {l.cell && rows.map((r, k) => <td onPointerEnter={() => (hover.value = r)}>{l.cell!(r, k)}</td>)}
                    </tr>
                  ))}
                </tbody>
              ),
          )}
        </table>
      </div>
      {rows.map(
        (r) =>
          error &&
          has(error, r) && (
            <>
              <h3>What went wrong{rows.length > 1 && ` in trial ${trial(r)}`}</h3>
              <pre tabindex={0}>{value(error.meta, error.x[r])}</pre>
            </>
          ),
      )}
      <div class="tools">
        <span class="muted">Copy the command to</span>
        {store.view.study.enqueue && <Commands rows={rows} verb={store.view.study.enqueue} text={rows.length > 1 ? 'run these again' : 'run this design again'} />}
        <Commands rows={rows} verb={'daedalus export ' + store.view.study.file} text="export" />
        <CopyAddress />
      </div>
      <p class="note screen">Shift-click another design to compare.</p>
    </aside>
  )
}

function Commands(p: { rows: readonly number[]; verb: string; text: string }) {
  const text = p.rows.map((r) => `${p.verb} --trial ${store.column(0)?.x[r]}`).join('\n')
  return (
    <Copy text={() => text} title={text}>
      {p.text}
    </Copy>
  )
}

// step goes to the neighbour along the front, or by number for others.
function step(by: number): void {
  const row = picks.value[0]
  const place = frontPlace(row)
  const next = place < 0 ? row + by : store.view.front.rows[place + by]
  if (next >= 0 && next < store.rows) picks.value = [next]
}

function heads(rows: readonly number[]): Line[] {
  const lines: (Line | false)[] = [
    rows.length > 1 && {
      name: 'trial',
      cell: (r) => (
        <>
          <b>{trial(r)}</b>{' '}
          <button class="link screen" aria-label={`without trial ${trial(r)}`} onClick={() => pick(r, true)}>
            ✕
          </button>
        </>
      ),
    },
    { name: 'state', cell: (r) => <Value id={record('state')} row={r} /> },
    rows.some(roles) && { name: 'what it is', cell: (r) => <i>{roles(r)}</i> },
    rows.some(short) && { name: 'in short', cell: (r) => <span title={cut(short(r), 1000)}>{cut(short(r), 160)}</span> },
  ]
  return lines.filter((l) => l !== false)
}

const ranks = new Map<string, [worse: number, of: number]>()

// rank counts the measured trials whose value is worse, or smaller where neither
// is better, of how many. target is the value wanted, if there is one.
function rank(c: Loaded, row: number, target?: number): [number, number] {
  const key = c.id + ' ' + row
  const kind = kinds()
  const known = ranks.get(key)
  if (known || !kind) return known ?? [0, 0]
  const how = (x: number) => (target !== undefined ? -Math.abs(x - target) : c.meta.better === 'low' ? -x : x)
  const out: [number, number] = [0, 0]
  for (let r = 0; r < c.x.length; r++) {
    if (!kind[r] || !has(c, r) || r === row) continue
    out[1]++
    if (how(c.x[r]) < how(c.x[row])) out[0]++
  }
  ranks.set(key, out)
  return out
}

const meets: Record<Limit['op'], (x: number, bound: number) => boolean> = {
  '<=': (x, b) => x <= b,
  '<': (x, b) => x < b,
  '>=': (x, b) => x >= b,
  '>': (x, b) => x > b,
  '==': (x, b) => x === b,
}

function measured(rows: readonly number[]): Line[] {
  const { columns, goal, front } = store.view
  const lines = [...new Set([...metrics(), ...those((c) => c.part === 'metric')])].flatMap((id): Line[] => {
    const c = store.column(id)
    const meta = columns[id]
    if (!c || !rows.some((r) => has(c, r))) return []
    const target = goal.objectives.find((o) => o.column === id)?.target
    return [
      {
        name: meta.name + better(meta),
        title: [title(meta), meta.doc].filter(Boolean).join('\n'),
        texts: rows.map((r) => String(c.x[r])),
        cell: (r) => {
          const [worse, of] = has(c, r) ? rank(c, r, target) : [0, 0]
          const said = `${meta.better || target !== undefined ? 'better' : 'larger'} than ${percent(worse / of)} of ${number(of)} other measured trials`
          return (
            <>
              <span class={objectives().includes(id) ? 'main' : ''}>
                <Value id={id} row={r} unit />
              </span>
              {goal.limits
                .filter((l) => l.column === id && has(c, r))
                .map((l) => {
                  const kept = meets[l.op](c.x[r], l.bound)
                  return (
                    <span class={kept ? 'good-ink' : 'bad-ink'} title={`${kept ? 'keeps' : 'misses'} ${l.text}${l.soft ? ' (soft)' : ''}`}>
                      {` ${kept ? '✓' : '✗'} ${l.op.replace('<=', '≤').replace('>=', '≥')} ${number(l.bound)}`}
                    </span>
                  )
                })}
              {of > 0 && <Place share={worse / of} title={said} filled={!!meta.better || target !== undefined} />}
            </>
          )
        },
      },
    ]
  })
  for (const v of rows.some((r) => frontPlace(r) >= 0) ? (front.verified ?? []) : []) {
    const texts = rows.map((r) => String(v.values[frontPlace(r)] ?? '–'))
    lines.push({
      name: v.metric + better(v),
      title: unseen,
      texts,
      cell: (_, k) => (
        <span title={texts[k]}>
          {number(Number(texts[k]))} <small>{v.unit} verified</small>
        </span>
      ),
    })
  }
  return lines
}

// Place shows a share of 1: as its length, or as a dot for where it lies.
function Place(p: { share: number; title: string; filled?: boolean }) {
  const at = 100 * clamp(p.share, 0, 1) + '%'
  return (
    <span class={p.filled ? 'place filled' : 'place'} title={p.title} role="img" aria-label={p.title}>
      <i style={p.filled ? { width: at } : { left: at }} />
    </span>
  )
}

// A Branch of the parameters' names: those of parts stand below their whole.
interface Branch {
  id?: number // column
  kids: Map<string, Branch>
}

// parameters lists what the designs have, as a tree by names.
function parameters(rows: readonly number[]): Line[] {
  const { columns, tree } = store.view
  const root = useMemo(() => {
    const root: Branch = { kids: new Map() }
    // How often words occur in a grammar's sentence goes without saying.
    for (const id of those((c) => c.part === 'param' && !c.doc?.startsWith('how often'))) {
      let at = root
      for (const word of columns[id].name.split(/\.|(?=\[)/)) {
        if (!at.kids.has(word)) at.kids.set(word, { kids: new Map() })
        at = at.kids.get(word)!
      }
      at.id = id
    }
    return root
  }, [])
  const below = ({ kids }: Branch, depth: number): Line[] =>
    [...kids].flatMap(([word, branch]): Line[] => {
      // What only leads to one other thing shares its line.
      while (branch.id === undefined && branch.kids.size === 1) {
        const [[next, kid]] = branch.kids
        word += (next[0] === '[' ? '' : '.') + next
        branch = kid
      }
      const inner = below(branch, depth + 1)
      const c = store.column(branch.id ?? -1)
      if (!c || !rows.some((r) => has(c, r))) return inner.length ? [{ name: word, depth }, ...inner] : []
      const n = tree.find((n) => n.path === c.meta.static)
      return [
        {
          name: word + (c.meta.unit && ` (${c.meta.unit})`),
          depth,
          title: [c.meta.name, n?.domain, n?.when && 'when ' + n.when, c.meta.doc].filter(Boolean).join('\n'),
          texts: rows.map((r) => value(c.meta, c.x[r])),
          cell: (r) => (
            <>
              <Value id={c.id} row={r} />
              {has(c, r) && <Where of={c} x={c.x[r]} title={n?.domain ?? ''} />}
            </>
          ),
        },
        ...inner,
      ]
    })
  return below(root, 0)
}

// Where shows where a value lies in its range.
function Where({ of: { meta }, x, title }: { of: Loaded; x: number; title: string }) {
  if (meta.kind !== 'number' && !meta.ordered) return null
  let [low, high] = meta.low !== undefined && meta.high !== undefined ? [meta.low, meta.high] : extent(meta)
  if (meta.log && low > 0) [low, high, x] = [low, high, x].map(Math.log)
  return high > low ? <Place share={(x - low) / (high - low)} title={title} /> : null
}

// made says how the designs came about: times, worker, operator.
function made(rows: readonly number[]): Line[] {
  return those((c) => c.part === 'record' && !['number', 'state', 'error'].includes(c.name)).flatMap((id): Line[] => {
    const c = store.column(id)
    if (!c || !rows.some((r) => has(c, r))) return []
    return [{ name: c.meta.name.replace('_', ' '), title: c.meta.doc, cell: (r) => <Value id={id} row={r} unit /> }]
  })
}
