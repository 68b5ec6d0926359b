// Every trial as a table that stays quick at a hundred thousand rows: only the
// rows in sight exist.

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { Column, Loaded } from './data'
import { Copy, useHovered } from './bits'
import { chooseColumns, columnsOf, Figure, useVisible } from './figure'
import { cut, exact, number, title, value } from './format'
import { has, limited, objectives, parameters, record, those } from './rows'
import { clamp } from './scale'
import { choices, choose, hover, mask, pick, picks, store } from './state'

const rowHeight = 26
const most = 60 // columns that can be shown at once
const key = 'trials.columns'

// shownColumns are the columns of the table after the trial's number: the
// person's choice, or the objectives, what has a limit, and the parameters that
// matter most.
function shownColumns(): number[] {
  const important = parameters().slice(0, 8).sort((a, b) => a - b)
  const usual = [record('state'), ...objectives(), ...limited(), ...important, record('error')].filter((id) => id > 0)
  return columnsOf(key, usual, those((_, id) => id > 0)).slice(0, most)
}

// width of a column in pixels, from what it may hold.
function width(c: Column): number {
  const longest = c.kind === 'number' ? 8 : c.kind === 'text' ? 36 : Math.max(4, ...c.values!.slice(0, 200).map((v) => Math.min(String(v).length, 28)))
  return Math.max(8 * Math.min(title(c).length, 22) + 30, 7 * longest + 26)
}

const orders = new Map<string, Uint32Array>()

// order sorts the rows by a column, once. Rows without a value come last.
function order(c: Loaded, down: boolean): Uint32Array {
  const key = c.id + (down ? '-' : '+')
  let out = orders.get(key)
  if (out) return out
  let { x } = c
  const { values, kind, ordered } = c.meta
  if (kind !== 'number' && !ordered) {
    // By the alphabet, numbers in texts as numbers.
    const rank: number[] = []
    const compare = new Intl.Collator(undefined, { numeric: true }).compare
    const sorted = values!.map((_, i) => i).sort((a, b) => compare(String(values![a]), String(values![b])))
    sorted.forEach((v, i) => (rank[v] = i))
    x = x.map((v) => (v === v ? rank[v] : NaN)) as Float64Array
  }
  out = Uint32Array.from(x, (_, r) => r)
  const there = out.filter((r) => x[r] === x[r]).sort(down ? (a, b) => x[b] - x[a] || a - b : (a, b) => x[a] - x[b] || a - b)
  out.set(out.filter((r) => x[r] !== x[r]), there.length)
  out.set(there)
  orders.set(key, out)
  return out
}

// csv is what the table shows, with every digit.
function csv(rows: Uint32Array, ids: number[]): string {
  const quote = (s: string) => (/[",\r\n]/.test(s) ? `"${s.replaceAll('"', '""')}"` : s)
  const columns = ids.map((id) => store.column(id))
  const cell = (c: Loaded | undefined, row: number) => {
    if (!c || !has(c, row)) return ''
    const x = c.x[row]
    return quote(String(c.meta.kind !== 'number' ? c.meta.values![x] : c.meta.rounded ? Number(x.toPrecision(7)) : x))
  }
  const lines = [ids.map((id) => quote(store.view.columns[id].name)).join(',')]
  for (const row of rows) lines.push(columns.map((c) => cell(c, row)).join(','))
  return lines.join('\r\n') + '\r\n'
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
  const ids = [0, ...shownColumns()]
  const only = !choices.value['trials.all']
  const sorting = choices.value['trials.sort'] ?? '+' + view.columns[0]?.name
  const down = sorting[0] === '-'
  const by = store.id(sorting.slice(1))

  // Far from the screen nothing is sorted or selected.
  const m = near ? mask.value : undefined
  const column = near ? store.column(by) : undefined
  const rows = useMemo(() => {
    if (!m) return new Uint32Array(0)
    const all = column && by ? order(column, down) : undefined
    const n = store.rows
    const some = only && !m.all
    const out = new Uint32Array(some ? m.count : n)
    for (let i = 0, k = 0; i < n; i++) {
      const row = all ? all[i] : down ? n - 1 - i : i
      if (!some || m.bits[row]) out[k++] = row
    }
    return out
  }, [m, column, down, only])
  return (
    <Figure
      id="trial-table"
      wide
      title={(near && rows.length !== store.rows ? number(rows.length) + ' of ' : '') + number(store.rows) + ' trials'}
      tools={
        <>
          <label class="choice">
            <input type="checkbox" checked={only} onChange={() => choose('trials.all', only ? '1' : undefined)} />
            selected only
          </label>
          <button aria-expanded={choosing} onClick={() => setChoosing(!choosing)}>
            columns…
          </button>
          <Copy text={() => csv(rows, ids)} title="the rows and columns shown, with every digit">
            copy as CSV
          </Copy>
        </>
      }
      note={
        <>
          <span class="screen">Click a head to sort, a row to see its design; arrow keys move, Enter shows, Shift compares. </span>
          {view.trials.note}
        </>
      }
    >
      {choosing && <Picker ids={ids.slice(1)} close={() => setChoosing(false)} />}
      <div ref={frame} class="trials" style={near ? undefined : { minHeight: tall.current + 'px' }}>
        {near && <Rows rows={rows} ids={ids} by={by} down={down} />}
      </div>
    </Figure>
  )
}

function Rows({ rows, ids, by, down }: { rows: Uint32Array; ids: number[]; by: number; down: boolean }) {
  const box = useRef<HTMLDivElement>(null)
  useHovered(box)
  const [top, setTop] = useState(0)
  const [cursor, setCursor] = useState(-1)
  const metas = ids.map((id) => store.view.columns[id])
  const columns = ids.map((id) => store.column(id))
  const widths = useMemo(() => metas.map(width), [ids.join()])
  const total = widths.reduce((a, b) => a + b, 0) + 'px'
  const tall = 560
  const page = Math.floor(tall / rowHeight) - 2
  const pool = page + 10 // lines that there are; scrolling fills them anew
  const first = Math.max(0, Math.min(Math.floor(top / rowHeight), rows.length - 1) - 4)

  // A new selection begins at its top.
  useEffect(() => {
    setCursor(-1)
    box.current!.scrollTop = 0
    setTop(0)
  }, [rows.length, by, down])

  const go = (to: number) => {
    const k = clamp(to, 0, rows.length - 1)
    setCursor(k)
    hover.value = rows[k]
    const b = box.current!
    b.scrollTop = clamp(b.scrollTop, (k + 3) * rowHeight - b.clientHeight, k * rowHeight)
  }
  const key = (e: KeyboardEvent) => {
    if (e.target !== e.currentTarget || e.ctrlKey || e.metaKey || e.altKey) return
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -rows.length, End: rows.length }[e.key]
    if (step && rows.length) go(cursor + step)
    else if (e.key === 'Enter' && cursor >= 0) pick(rows[cursor], e.shiftKey)
    else return
    e.preventDefault()
  }
  // First the good end of a metric.
  const sort = (id: number, c: Column) => choose('trials.sort', ((by === id ? !down : c.better === 'high') ? '-' : '+') + c.name)
  const kind = (c: Column) => (c.kind === 'number' ? 'cell number' : 'cell')
  const lines = Array.from(rows.subarray(first, first + pool), (row, k) => {
    const i = first + k
    return (
      <div
        key={i % pool}
        class={'line' + (picks.value.includes(row) ? ' picked' : '') + (i === cursor ? ' cursor' : '')}
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
        {columns.map((c, k) => (
          <div class={kind(metas[k])} role="gridcell" title={c && has(c, row) ? cut(exact(c.meta, c.x[row]), 1000) : undefined}>
            {c ? cut(value(c.meta, c.x[row]), 200) : '…'}
          </div>
        ))}
      </div>
    )
  })
  return (
    <div
      ref={box}
      class="grid"
      role="grid"
      aria-label="trials"
      aria-rowcount={rows.length + 1}
      tabindex={0}
      style={{ maxHeight: tall + 'px', '--columns': widths.map((w) => w + 'px').join(' ') }}
      onScroll={(e) => setTop(e.currentTarget.scrollTop)}
      onKeyDown={key}
      onPointerLeave={() => (hover.value = -1)}
    >
      <div class="line head" role="row" style={{ width: total }}>
        {metas.map((c, k) => (
          <div class={kind(c)} role="columnheader" aria-sort={by !== ids[k] ? 'none' : down ? 'descending' : 'ascending'}>
            <button class="link" title={[cut(title(c), 500), c.doc].join('\n')} onClick={() => sort(ids[k], c)}>
              {by === ids[k] && (down ? '▾ ' : '▴ ')}
              {cut(title(c), 60)}
            </button>
          </div>
        ))}
      </div>
      <div class="body" style={{ height: rows.length * rowHeight + 'px', width: total }}>
        {lines}
      </div>
      {!rows.length && <p class="absent">No trial is selected.</p>}
    </div>
  )
}

// Picker chooses the columns.
function Picker({ ids, close }: { ids: number[]; close: () => void }) {
  const [search, setSearch] = useState('')
  const fits = those((c, id) => id > 0 && c.name.toLowerCase().includes(search.toLowerCase()))
  const limit = 200
  return (
    <div class="picker tools" onKeyDown={(e) => e.key === 'Escape' && (e.stopPropagation(), close())}>
      <p class="tools">
        <input type="search" placeholder="find a column" aria-label="find a column" onInput={(e) => setSearch(e.currentTarget.value)} />
        <button onClick={() => choose(key, undefined)}>as at first</button>
        <button onClick={close}>done</button>
      </p>
      {fits.slice(0, limit).map((id) => (
        <label key={id} title={store.view.columns[id].doc}>
          <input
            type="checkbox"
            checked={ids.includes(id)}
            onChange={() => chooseColumns(key, ids.includes(id) ? ids.filter((i) => i !== id) : [...ids, id])}
          />
          {cut(title(store.view.columns[id]), 48)}
        </label>
      ))}
      {fits.length > limit && <p class="muted">{number(fits.length - limit)} more: type to find them</p>}
    </div>
  )
}
