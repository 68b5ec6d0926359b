// Every trial as a table that stays quick at a hundred thousand rows: only the
// rows in sight exist.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Column, Loaded } from './data'
import { Copy, useHovered } from './bits'
import { Figure, useVisible } from './figure'
import { cut, exact, number, title, value } from './format'
import { parameters } from './kit'
import { choices, choose, hover, mask, pick, picks, store } from './state'
import './trials.css'

const rowHeight = 26
const most = 60 // columns that can be shown at once

// chosenColumns are the columns of the table: the person's choice, or the trial,
// the objectives, what has a limit, and the parameters that matter most.
function chosenColumns(): number[] {
  const { columns, goal } = store.view
  const kept = choices.value['trials.columns']
  if (kept !== undefined) {
    try {
      const names: unknown = JSON.parse(kept)
      if (Array.isArray(names)) return names.map((n) => store.id(String(n))).filter((id) => id > 0)
    } catch {
      // an address that was cut
    }
  }
  const state = columns.findIndex((c) => c.part === 'record' && c.name === 'state')
  const error = columns.findIndex((c) => c.part === 'record' && c.name === 'error')
  const measured = [...goal.objectives, ...goal.limits].map((o) => o.column)
  const important = parameters().slice(0, 8).sort((a, b) => a - b)
  return [...new Set([state, ...measured, ...important, error])].filter((id) => id > 0)
}

function chooseColumns(ids: number[]): void {
  choose('trials.columns', JSON.stringify(ids.map((id) => store.view.columns[id].name)))
}

// width of a column in pixels, from what it may hold.
function width(c: Column): number {
  const head = 8 * Math.min(title(c).length, 22) + 30
  if (c.kind === 'number') return Math.max(head, 84)
  if (c.kind === 'text') return Math.max(head, 280)
  const longest = Math.max(4, ...(c.values ?? []).slice(0, 200).map((v) => Math.min(String(v).length, 28)))
  return Math.max(head, 7 * longest + 26)
}

const orders = new Map<string, Uint32Array>()

// order sorts the rows by a column, once. Rows without a value come last.
function order(c: Loaded, down: boolean): Uint32Array {
  const key = c.id + (down ? '-' : '+')
  const known = orders.get(key)
  if (known) return known
  let x: ArrayLike<number> = c.x
  const { values, kind, ordered } = c.meta
  if (kind !== 'number' && !ordered && values) {
    // By the alphabet, numbers in texts as numbers.
    const rank = new Float64Array(values.length)
    const compare = new Intl.Collator(undefined, { numeric: true }).compare
    values.map((_, i) => i).sort((a, b) => compare(String(values[a]), String(values[b]))).forEach((v, i) => (rank[v] = i))
    x = c.x.map((v) => (v === v ? rank[v] : NaN))
  }
  const out = new Uint32Array(c.x.length)
  let k = 0
  for (let r = 0; r < out.length; r++) if (x[r] === x[r]) out[k++] = r
  const there = out.subarray(0, k)
  there.sort(down ? (a, b) => x[b] - x[a] || a - b : (a, b) => x[a] - x[b] || a - b)
  for (let r = 0; r < out.length; r++) if (x[r] !== x[r]) out[k++] = r
  orders.set(key, out)
  return out
}

// csv is what the table shows, with every digit.
function csv(rows: Uint32Array, ids: number[]): string {
  const columns = ids.map((id) => store.column(id))
  const quote = (s: string) => (/[",\r\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s)
  const cell = (c: Loaded | undefined, row: number) => {
    const x = c ? c.x[row] : NaN
    if (!c || x !== x) return ''
    return c.meta.kind === 'number' ? String(c.meta.rounded ? Number(x.toPrecision(7)) : x) : quote(String(c.meta.values?.[x] ?? ''))
  }
  const lines = [ids.map((id) => quote(store.view.columns[id].name)).join(',')]
  for (const row of rows) lines.push(columns.map((c) => cell(c, row)).join(','))
  return lines.join('\r\n') + '\r\n'
}

function download(name: string, text: string): void {
  const a = document.createElement('a')
  a.href = URL.createObjectURL(new Blob([text], { type: 'text/csv;charset=utf-8' }))
  a.download = name
  a.click()
  setTimeout(() => URL.revokeObjectURL(a.href), 1000)
}

export function Trials() {
  const { view } = store
  const [choosing, setChoosing] = useState(false)
  const frame = useRef<HTMLDivElement>(null)
  const near = useVisible(frame)
  const tall = useRef(592) // when it was last there
  useLayoutEffect(() => {
    if (near) tall.current = frame.current!.offsetHeight
  })
  const ids = [0, ...chosenColumns().slice(0, most)]
  const only = choices.value['trials.all'] === undefined
  const sorting = choices.value['trials.sort'] ?? '+' + view.columns[0]?.name
  const down = sorting[0] === '-'
  const by = store.id(sorting.slice(1))

  // Far from the screen nothing is sorted or selected.
  const m = near ? mask.value : undefined
  const column = near ? store.column(by) : undefined
  const rows = useMemo(() => {
    if (!m) return new Uint32Array(0)
    const all = column && by !== 0 ? order(column, down) : undefined
    const n = store.rows
    const some = only && !m.all
    const out = new Uint32Array(some ? m.count : n)
    let k = 0
    for (let i = 0; i < n; i++) {
      const row = all ? all[i] : down ? n - 1 - i : i
      if (!some || m.bits[row]) out[k++] = row
    }
    return out
  }, [m, column, down, only])

  const file = cut(view.study.name.replace(/[^\w.-]+/g, '-') || 'trials', 60) + '.csv'
  return (
    <div class="figures">
      <Figure
        id="trial-table"
        wide
        title={near && rows.length !== store.rows ? `${number(rows.length)} of ${number(store.rows)} trials` : `${number(store.rows)} trials`}
        tools={
          <>
            <label class="choice">
              <input type="checkbox" checked={only} onChange={(e) => choose('trials.all', e.currentTarget.checked ? undefined : '1')} />
              selected only
            </label>
            <button type="button" aria-expanded={choosing} onClick={() => setChoosing(!choosing)}>
              columns…
            </button>
            <Copy text={() => csv(rows, ids)} title="the rows and columns shown, with every digit">
              copy as CSV
            </Copy>
            <button type="button" onClick={() => download(file, csv(rows, ids))}>
              download CSV
            </button>
          </>
        }
        note={
          <span class="screen">
            Click a head to sort, a row to see its design; arrow keys, PageUp and PageDown move, Enter shows, Shift adds for comparison.{' '}
            {view.trials.note}
          </span>
        }
      >
        {choosing && <Picker ids={ids} close={() => setChoosing(false)} />}
        <div ref={frame} class="trials" style={near ? undefined : { minHeight: tall.current + 'px' }}>
          {near && <Rows rows={rows} ids={ids} by={by} down={down} />}
        </div>
      </Figure>
    </div>
  )
}

function Rows(p: { rows: Uint32Array; ids: number[]; by: number; down: boolean }) {
  const { rows, ids } = p
  const box = useRef<HTMLDivElement>(null)
  useHovered(box)
  const [top, setTop] = useState(0)
  const [cursor, setCursor] = useState(-1)
  const { columns } = store.view
  const metas = ids.map((id) => columns[id])
  const widths = useMemo(() => metas.map(width), [ids.join()])
  const all = ids.map((id) => store.column(id))
  const tall = 560
  const page = Math.floor(tall / rowHeight) - 2
  const total = widths.reduce((a, b) => a + b, 0)
  const pool = page + 10 // lines that there are; scrolling fills them anew
  const first = Math.max(0, Math.min(Math.floor(top / rowHeight), rows.length - 1) - 4)
  const last = Math.min(rows.length, first + pool)

  // A new selection begins at its top.
  useEffect(() => {
    setCursor(-1)
    box.current!.scrollTop = 0
    setTop(0)
  }, [rows.length, p.by, p.down])

  const go = (to: number) => {
    const k = Math.max(0, Math.min(to, rows.length - 1))
    setCursor(k)
    hover.value = rows[k]
    const b = box.current!
    const y = k * rowHeight
    const head = rowHeight + 4
    if (y < b.scrollTop) b.scrollTop = y
    else if (y + 2 * rowHeight + head > b.scrollTop + b.clientHeight) b.scrollTop = y + 2 * rowHeight + head - b.clientHeight
  }
  const key = (e: KeyboardEvent) => {
    if (e.target !== e.currentTarget || e.ctrlKey || e.metaKey || e.altKey) return
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length }[e.key]
    if (step && rows.length) go(cursor < 0 && step === 1 ? 0 : cursor + step)
    else if (e.key === 'Enter' && cursor >= 0) pick(rows[cursor], e.shiftKey)
    else return
    e.preventDefault()
  }
  const sort = (id: number) => {
    const c = columns[id]
    // First the good end of a metric.
    const start = c.better === 'high' ? '-' : '+'
    choose('trials.sort', (p.by === id ? (p.down ? '+' : '-') : start) + c.name)
  }

  const lines = []
  for (let i = first; i < last; i++) {
    const row = rows[i]
    const mark = (picks.value.includes(row) ? ' picked' : '') + (i === cursor ? ' cursor' : '')
    lines.push(
      <div
        key={i % pool}
        class={'line' + mark}
        data-row={row}
        role="row"
        aria-rowindex={i + 2}
        style={{ top: i * rowHeight + 'px' }}
        onPointerEnter={() => (hover.value = row)}
        onClick={(e) => {
          setCursor(i)
          pick(row, e.shiftKey)
        }}
      >
        {all.map((c, k) => (
          <Cell key={ids[k]} c={c} meta={metas[k]} row={row} width={widths[k]} />
        ))}
      </div>,
    )
  }
  return (
    <div
      ref={box}
      class="grid"
      role="grid"
      aria-label="trials"
      aria-rowcount={rows.length + 1}
      tabIndex={0}
      style={{ maxHeight: tall + 'px' }}
      onScroll={(e) => setTop(e.currentTarget.scrollTop)}
      onKeyDown={key}
      onPointerLeave={() => (hover.value = -1)}
    >
      <div class="line head" role="row" style={{ width: total + 'px' }}>
        {metas.map((m, k) => (
          <div
            key={ids[k]}
            class={m.kind === 'number' ? 'cell number' : 'cell'}
            role="columnheader"
            aria-sort={p.by === ids[k] ? (p.down ? 'descending' : 'ascending') : 'none'}
            style={{ width: widths[k] + 'px' }}
          >
            <button type="button" class="link" title={cut(title(m), 500) + (m.doc ? '\n' + m.doc : '')} onClick={() => sort(ids[k])}>
              {cut(title(m), 60)}
            </button>
            {p.by === ids[k] && (p.down ? '▾' : '▴')}
          </div>
        ))}
      </div>
      <div class="body" style={{ height: rows.length * rowHeight + 'px', width: total + 'px' }}>
        {lines}
      </div>
      {rows.length === 0 && <p class="absent">No trial is selected.</p>}
    </div>
  )
}

function Cell({ c, meta, row, width }: { c?: Loaded; meta: Column; row: number; width: number }) {
  const text = c ? cut(value(meta, c.x[row]), 200) : '…'
  const full = c && c.x[row] === c.x[row] ? cut(exact(meta, c.x[row]), 1000) : undefined
  return (
    <div class={meta.kind === 'number' ? 'cell number' : 'cell'} role="gridcell" style={{ width: width + 'px' }} title={full}>
      {text}
    </div>
  )
}

// Picker chooses columns by part.
function Picker(p: { ids: number[]; close: () => void }) {
  const [search, setSearch] = useState('')
  const { columns } = store.view
  const parts = [
    ['record', 'The trial'],
    ['metric', 'Metrics'],
    ['param', 'Parameters'],
  ] as const
  const limit = 120
  return (
    <div class="picker tools" onKeyDown={(e) => e.key === 'Escape' && (e.stopPropagation(), p.close())}>
      <p>
        {columns.length > 30 && (
          <input type="search" placeholder="find a column" aria-label="find a column" onInput={(e) => setSearch(e.currentTarget.value)} />
        )}
        <button type="button" onClick={() => choose('trials.columns', undefined)}>
          as at first
        </button>
        <button type="button" onClick={p.close}>
          done
        </button>
      </p>
      {parts.map(([part, name]) => {
        const fits = columns.flatMap((c, id) => (c.part === part && id > 0 && c.name.toLowerCase().includes(search.toLowerCase()) ? [id] : []))
        return (
          fits.length > 0 && (
            <fieldset key={part}>
              <legend>
                {name}{' '}
                <button type="button" class="link" onClick={() => chooseColumns(p.ids.slice(1).filter((id) => !fits.includes(id)))}>
                  none
                </button>
              </legend>
              {fits.slice(0, limit).map((id) => (
                <label key={id} title={columns[id].doc}>
                  <input
                    type="checkbox"
                    checked={p.ids.includes(id)}
                    onChange={(e) => chooseColumns(e.currentTarget.checked ? [...p.ids.slice(1), id] : p.ids.slice(1).filter((i) => i !== id))}
                  />
                  {cut(title(columns[id]), 48)}
                </label>
              ))}
              {fits.length > limit && <p class="muted">{number(fits.length - limit)} more: type to find them</p>}
            </fieldset>
          )
        )
      })}
    </div>
  )
}
