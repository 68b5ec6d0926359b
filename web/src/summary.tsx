// The ten-second view: what was found, whether to believe it, what to try next.

import type { ComponentChildren } from 'preact'
import { useMemo, useRef, useState } from 'preact/hooks'
import type { Check, State } from './data'
import { better, Command, Drawing, drawing, limitColumns, Prose, rowEvents, trial, useHovered, Value } from './bits'
import { Figure } from './figure'
import { cut, moment, number, percent, plural, seconds, title } from './format'
import { stateColours } from './kit'
import { frontPlace } from './rows'
import { brush, brushes, hover, pick, picks, store } from './state'
import './summary.css'

export function Summary() {
  const { study, answer, trials, front, goal } = store.view
  const several = goal.objectives.length > 1
  const many = front.rows.length
  const about = [study.name, study.problem, study.searcher, ended(), day(study.created)].filter(Boolean)
  return (
    <>
      <header class="opening">
        <p class="muted">{about.map((s) => cut(s, 120)).join(' · ')}</p>
        {study.running && (
          <p class="note-line">
            <b>Still running;</b> as of {moment(store.view.made)}. Numbers will change.
          </p>
        )}
        {study.question && <p class="question">{cut(study.question, 600)}</p>}
        <h1>{cut(answer.headline, 600)}</h1>
      </header>
      <dl class="numbers">
        <Big value={number(trials.total)} of={study.budget}>
          trials
        </Big>
        {study.seconds > 0 && (
          <Big value={seconds(Number(study.seconds.toPrecision(3)))} title={`${study.seconds} s of wall time over all runs`}>
            wall time
          </Big>
        )}
        {several && (
          <Big value={number(many)} title={front.feasible ? undefined : 'no design keeps every limit; these miss them least'}>
            {many === 1 ? 'design' : 'designs'} {front.feasible ? 'on the front' : 'nearest to the limits'}
          </Big>
        )}
        {study.designs && <Big value={power(study.designs)}>designs in the space</Big>}
        <Verdict />
      </dl>
      <States />
      {answer.picks.length > 0 && (
        <div class="picks">
          {answer.picks.map((p) => (
            <PickCard key={p.role + p.row} row={p.row} role={p.role} />
          ))}
        </div>
      )}
      <div class="figures judging">
        <Figure id="next" title="What to try next">
          {answer.advice?.length ? (
            <ol class="advice">
              {answer.advice.map((a) => (
                <li key={a}>
                  <Prose text={a} />
                </li>
              ))}
            </ol>
          ) : (
            <p class="muted">Nothing stands out.</p>
          )}
          {study.reason && (
            <p class="note">
              Why {study.searcher}: {cut(study.reason, 1000)}
            </p>
          )}
        </Figure>
        <Figure id="checks" title="Whether to believe it">
          {answer.truth && <p class="truth">{cut(answer.truth, 600)}</p>}
          <Checks />
        </Figure>
        {many > 0 && <FrontTable />}
      </div>
      {trials.note && <p class="note">{trials.note}</p>}
    </>
  )
}

function ended(): string {
  const { status, stopped } = store.view.study
  return stopped ? `${status}: ${stopped}` : status
}

function day(at: string): string {
  const d = new Date(at)
  return d.getFullYear() > 1 ? d.toLocaleDateString(undefined, { dateStyle: 'medium' }) : ''
}

// Verdict is the worst that the checks say, in two words.
function Verdict() {
  const { checks } = store.view
  const count = (level: Check['level']) => checks.filter((c) => c.level === level).length
  if (!checks.length) return null
  const [bad, note] = [count('bad'), count('note')]
  const level = bad ? 'bad' : note ? 'note' : 'good'
  const n = bad || note || checks.length
  return (
    <div>
      <dd class={level + '-ink'}>{number(n)}</dd>
      <dt>
        {bad ? `of ${checks.length} checks failed` : note ? `of ${checks.length} checks to note` : 'checks passed'}
      </dt>
    </div>
  )
}

// power writes 1.2e+34 as people do.
function power(s: string): ComponentChildren {
  const [, digits, exponent] = /^([\d.]+)e\+?(\d+)$/.exec(s) ?? []
  return exponent ? (
    <>
      {digits} × 10<sup>{exponent}</sup>
    </>
  ) : (
    cut(s, 24)
  )
}

function Big(p: { value: ComponentChildren; of?: string; title?: string; children: ComponentChildren }) {
  return (
    <div title={p.title}>
      <dd>
        {p.value}
        {p.of && <small> of {p.of.replace(/ trials$/, '')}</small>}
      </dd>
      <dt>{p.children}</dt>
    </div>
  )
}

// States is a bar of the trials by how they ended; a click selects one kind.
function States() {
  const states = Object.entries(store.view.trials.states).filter(([, n]) => n > 0) as [State, number][]
  const total = states.reduce((sum, [, n]) => sum + n, 0)
  const id = store.view.columns.findIndex((c) => c.part === 'record' && c.name === 'state')
  const values = store.view.columns[id]?.values ?? []
  const on = brushes.value.get(id)
  if (!total) return null
  states.sort((a, b) => b[1] - a[1])
  return (
    <div class="states">
      <div class="parts" aria-hidden="true">
        {states.map(([s, n]) => (
          <i key={s} style={{ flexGrow: n, background: `var(${stateColours[s] ?? '--faint'})` }} />
        ))}
      </div>
      <ul>
        {states.map(([s, n]) => {
          const k = values.indexOf(s)
          const chosen = !!on && on[0] === k && on[1] === k
          return (
            <li key={s}>
              <button
                type="button"
                class="plain"
                aria-pressed={chosen}
                title={percent(n / total)}
                disabled={k < 0}
                onClick={() => brush(id, chosen ? undefined : [k, k])}
              >
                <i style={{ background: `var(${stateColours[s] ?? '--faint'})` }} /> {number(n)} {s}
              </button>
            </li>
          )
        })}
      </ul>
    </div>
  )
}

// PickCard is a design worth a look, in short.
function PickCard(p: { row: number; role: string }) {
  const { view } = store
  const place = frontPlace(p.row)
  const label = place === undefined ? undefined : view.front.labels?.[place]
  const first = view.goal.objectives.map((o) => o.column).filter((c) => c >= 0)
  return (
    <button type="button" class="pick" aria-pressed={picks.value.includes(p.row)} title={`trial ${trial(p.row)}`} {...rowEvents(p.row)}>
      <b>{cut(p.role, 60)}</b>
      {label && <span class="label">{cut(label, 90)}</span>}
      <Drawing row={p.row} />
      {first.map((id) => (
        <Fact key={id} id={id} row={p.row} big />
      ))}
      {limitColumns().map((id) => (
        <Fact key={id} id={id} row={p.row} />
      ))}
      {place !== undefined &&
        view.front.verified?.map((v) => (
          <span class="fact" key={v.metric} title="measured afterwards; the search did not see it">
            <span class="what">
              {cut(v.metric, 40)} {better(v)} <em>verified</em>
            </span>
            <span class="value">
              {number(v.values[place] ?? NaN)} <small>{v.unit}</small>
            </span>
          </span>
        ))}
    </button>
  )
}

function Fact(p: { id: number; row: number; big?: boolean }) {
  const c = store.view.columns[p.id]
  return (
    <span class={p.big ? 'fact main' : 'fact'}>
      <span class="what" title={c.doc}>
        {cut(c.name, 40)} {better(c)}
      </span>
      <span class="value">
        <Value id={p.id} row={p.row} unit />
      </span>
    </span>
  )
}

const marks = { bad: '!', note: 'i', good: '✓' }

function Mark(p: { level: Check['level'] }) {
  return (
    <span class={`mark ${p.level}-ink`} role="img" aria-label={p.level}>
      <span>{marks[p.level]}</span>
    </span>
  )
}

function Checks() {
  const { checks } = store.view
  const of = (level: Check['level']) => checks.filter((c) => c.level === level)
  const good = of('good')
  if (!checks.length) return <p class="muted">{store.view.missing.checks ?? 'Nothing was checked.'}</p>
  return (
    <div class="checks">
      {[...of('bad'), ...of('note')].map((c) => (
        <OneCheck key={c.id} check={c} />
      ))}
      {good.length > 0 && (
        <details>
          <summary>
            <Mark level="good" />
            <span>
              {plural(good.length, 'check')} passed
              <span class="muted">: {good.map((c) => c.title.replace(/^./, (a) => a.toLowerCase())).join('; ')}</span>
            </span>
          </summary>
          {good.map((c) => (
            <OneCheck key={c.id} check={c} />
          ))}
        </details>
      )}
    </div>
  )
}

function OneCheck({ check: c }: { check: Check }) {
  return (
    <div class="check">
      <Mark level={c.level} />
      <div>
        <b>{c.title}</b>
        <p>
          <Prose text={c.text} />
        </p>
        {c.command && <Command text={c.command} />}
      </div>
    </div>
  )
}

interface Head {
  text: string
  note?: string
  key(row: number, place: number): number // to sort by
  cell(row: number, place: number): ComponentChildren
  title?: string
}

const few = 20

// FrontTable lists the front.
function FrontTable() {
  const { view } = store
  const { front, goal } = view
  const [sort, setSort] = useState<{ by: number; down: boolean }>({ by: -1, down: false })
  const [all, setAll] = useState(false)
  const [shown, setShown] = useState(-1)
  const box = useRef<HTMLDivElement>(null)
  useHovered(box)
  const roles = useMemo(() => {
    const m = new Map<number, string[]>()
    for (const p of view.answer.picks) m.set(p.row, [...(m.get(p.row) ?? []), p.role])
    if (front.knee >= 0 && !m.get(front.knee)?.includes('knee')) m.set(front.knee, [...(m.get(front.knee) ?? []), 'knee'])
    return m
  }, [])
  const column = (id: number): Head => {
    const c = view.columns[id]
    return {
      text: `${title(c)} ${better(c)}`,
      title: c.doc,
      key: (row) => store.column(id)?.x[row] ?? NaN,
      cell: (row) => <Value id={id} row={row} />,
    }
  }
  const heads: Head[] = [
    { text: 'trial', key: (row) => store.column(0)?.x[row] ?? row, cell: (row) => trial(row) },
    ...[...goal.objectives.map((o) => o.column).filter((c) => c >= 0), ...limitColumns()].map(column),
    ...(front.verified ?? []).map(
      (v): Head => ({
        text: `${title({ name: v.metric, unit: v.unit })} ${better(v)}`,
        note: 'verified',
        title: 'measured afterwards; the search did not see it',
        key: (_, place) => v.values[place] ?? NaN,
        cell: (_, place) => <span title={String(v.values[place] ?? '')}>{number(v.values[place] ?? NaN)}</span>,
      }),
    ),
  ]
  const order = front.rows.map((_, k) => k)
  const h = heads[sort.by]
  if (h) {
    const keys = front.rows.map((row, k) => h.key(row, k) * (sort.down ? -1 : 1))
    const last = (x: number) => (x === x ? x : Infinity)
    order.sort((a, b) => last(keys[a]) - last(keys[b]) || a - b)
  }
  const visible = all ? order.slice(0, 1000) : order.slice(0, few)
  const best = front.rows.length > 1 ? 'The best designs' : 'The best design'
  const name = !front.feasible ? 'The designs nearest to the limits' : goal.objectives.length > 1 ? 'The front' : best
  return (
    <Figure
      id="front-table"
      wide
      title={name}
      note={front.feasible ? undefined : 'No design keeps every limit.'}
      tools={
        front.rows.length > few && (
          <button type="button" onClick={() => setAll(!all)}>
            {all ? 'show fewer' : `show all ${number(front.rows.length)}`}
          </button>
        )
      }
    >
      <div ref={box} class="scroll front-table" onPointerLeave={() => setShown(-1)}>
        <table>
          <thead>
            <tr>
              {heads.map((h, i) => (
                <th key={i} class="number" title={h.title} aria-sort={sort.by === i ? (sort.down ? 'descending' : 'ascending') : 'none'}>
                  <button type="button" class="link" onClick={() => setSort({ by: i, down: sort.by === i && !sort.down })}>
                    {cut(h.text, 60)}
                    {sort.by === i && (sort.down ? ' ▾' : ' ▴')}
                  </button>
                  {h.note && <small>{h.note}</small>}
                </th>
              ))}
              <th>design</th>
            </tr>
          </thead>
          <tbody>
            {visible.map((k) => {
              const row = front.rows[k]
              const events = rowEvents(row)
              return (
                <tr
                  key={row}
                  data-row={row}
                  class={picks.value.includes(row) ? 'picked' : undefined}
                  {...events}
                  onPointerEnter={() => {
                    events.onPointerEnter()
                    setShown(row)
                  }}
                >
                  {heads.map((h, i) => (
                    <td key={i} class="number">
                      {i ? (
                        h.cell(row, k)
                      ) : (
                        <button
                          type="button"
                          class="link"
                          onClick={(e) => {
                            e.stopPropagation()
                            pick(row, e.shiftKey)
                          }}
                          onFocus={() => (hover.value = row)}
                        >
                          {trial(row)}
                        </button>
                      )}
                    </td>
                  ))}
                  <td class="design" title={cut(front.labels?.[k] ?? '', 1000)}>
                    {roles.get(row)?.map((r) => (
                      <span key={r} class="role">
                        {cut(r, 40)}
                      </span>
                    ))}
                    {cut(front.labels?.[k] ?? '', 100)}
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
        {shown >= 0 && drawing(shown) && (
          <div class="tip picture">
            <Drawing row={shown} />
          </div>
        )}
      </div>
      {order.length > visible.length && (
        <p class="note">
          {number(order.length - visible.length)} more{all && '; the table of trials holds all'}.
        </p>
      )}
    </Figure>
  )
}
