// The ten-second view: what was found, whether to believe it, what to try next.

import type { ComponentChildren } from 'preact'
import { useRef, useState } from 'preact/hooks'
import type { Check, State } from './data'
import { better, Card, Command, Prose, rowEvents, trial, unseen, useHovered } from './bits'
import { Figure, stateColour, useFew } from './figure'
import { cut, moment, number, percent, plural, seconds, title } from './format'
import { limited, objectives, record, roles, short } from './rows'
import { brush, brushes, hover, picks, store } from './state'

export function Summary() {
  const { study, answer, trials, front, checks } = store.view
  const many = front.rows.length
  const about = [study.name, study.problem, study.searcher, study.status + (study.stopped && ': ' + study.stopped), day(study.created)]
  const of = (level: Check['level']) => checks.filter((c) => c.level === level)
  const [bad, note] = [of('bad').length, of('note').length]
  return (
    <>
      <header class="opening">
        <p class="muted">
          {about
            .filter(Boolean)
            .map((s) => cut(s, 120))
            .join(' · ')}
        </p>
        {study.running && (
          <p class="note-ink">
            <b>Still running;</b> as of {moment(store.view.made)}. Numbers will change.
          </p>
        )}
        <p class="question">{cut(study.question, 600)}</p>
        <h1>{cut(answer.headline, 600)}</h1>
      </header>
      <dl class="numbers">
        <Big value={number(trials.total)} of={study.budget && ' of ' + study.budget.replace(/ trials$/, '')} text="trials" />
        {study.seconds > 0 && <Big value={seconds(Number(study.seconds.toPrecision(3)))} title={study.seconds + ' s over all runs'} text="wall time" />}
        {objectives().length > 1 && <Big value={number(many)} text={front.feasible ? 'on the front' : 'nearest to the limits'} />}
        {study.designs && <Big value={power(study.designs)} text="designs in the space" />}
        {checks.length > 0 && (
          <Big
            value={number(bad || note || checks.length)}
            level={bad ? 'bad' : note ? 'note' : 'good'}
            text={bad ? `of ${checks.length} checks failed` : note ? `of ${checks.length} checks to note` : 'checks passed'}
          />
        )}
      </dl>
      <States />
      <div class="picks">
        {answer.picks.map((p) => p.row).filter((row, k, all) => all.indexOf(row) === k).map((row) => (
          <Card row={row} />
        ))}
      </div>
      <div class="figures">
        <Figure id="next" title="What to try next">
          <ol class="advice">
            {(answer.advice ?? ['Nothing stands out.']).map((a) => (
              <li>
                <Prose text={a} />
              </li>
            ))}
          </ol>
          {study.reason && (
            <p class="note">
              Why {study.searcher}: {cut(study.reason, 1000)}
            </p>
          )}
        </Figure>
        <Figure id="checks" title="Whether to believe it" absent={!checks.length && 'Nothing was checked.'}>
          {answer.truth && <p class="check">{cut(answer.truth, 600)}</p>}
          {[...of('bad'), ...of('note')].map((c) => (
            <OneCheck check={c} />
          ))}
          {of('good').length > 0 && (
            <details>
              <summary class="check">
                <Mark level="good" />
                <span>
                  {plural(of('good').length, 'check')} passed
                  <span class="muted">
                    :{' '}
                    {of('good')
                      .map((c) => c.title.replace(/^./, (a) => a.toLowerCase()))
                      .join('; ')}
                  </span>
                </span>
              </summary>
              {of('good').map((c) => (
                <OneCheck check={c} />
              ))}
            </details>
          )}
        </Figure>
        {many > 0 && <FrontTable />}
      </div>
      <p class="note">{trials.note}</p>
    </>
  )
}

function day(at: string): string {
  const d = new Date(at)
  return d.getFullYear() > 1 ? d.toLocaleDateString(undefined, { dateStyle: 'medium' }) : ''
}

// power writes 1.2e+34 as people do.
function power(s: string): ComponentChildren {
  const [, digits, exponent] = /^([\d.]+)e\+?(\d+)$/.exec(s) ?? []
  return exponent ? [digits, ' × 10', <sup>{exponent}</sup>] : cut(s, 24)
}

function Big(p: { value: ComponentChildren; text: string; of?: string; title?: string; level?: string }) {
  return (
    <div title={p.title}>
      <dd class={p.level + '-ink'}>
        {p.value}
        <small>{p.of}</small>
      </dd>
      <dt>{p.text}</dt>
    </div>
  )
}

// States is a bar of the trials by how they ended; a click selects one kind.
function States() {
  const states = (Object.entries(store.view.trials.states) as [State, number][]).filter(([, n]) => n > 0).sort((a, b) => b[1] - a[1])
  const total = states.reduce((sum, [, n]) => sum + n, 0)
  const id = record('state')
  const on = brushes.value.get(id)
  return (
    <div class="states">
      <p aria-hidden="true">
        {states.map(([s, n]) => (
          <i style={{ flexGrow: n, background: `var(${stateColour(s)})` }} />
        ))}
      </p>
      {states.map(([s, n]) => {
        const k = store.view.columns[id]?.values?.indexOf(s) ?? -1
        const chosen = !!on && on[0] === k && on[1] === k
        return (
          <button class="plain" aria-pressed={chosen} title={percent(n / total)} disabled={k < 0} onClick={() => brush([id, chosen ? undefined : [k, k]])}>
            <i style={{ background: `var(${stateColour(s)})` }} /> {number(n)} {s}
          </button>
        )
      })}
    </div>
  )
}

function Mark(p: { level: Check['level'] }) {
  return (
    <span class={`mark ${p.level}-ink`} role="img" aria-label={p.level}>
      <span>{{ bad: '!', note: 'i', good: '✓' }[p.level]}</span>
    </span>
  )
}

function OneCheck({ check: c }: { check: Check }) {
  return (
    <div class="check">
      <Mark level={c.level} />
      <div>
        <b>{c.title}</b>
        <p class="muted">
          <Prose text={c.text} />
        </p>
        {c.command && <Command text={c.command} />}
      </div>
    </div>
  )
}

// FrontTable lists the front.
function FrontTable() {
  const { front, goal, columns } = store.view
  const [[by, down], setSort] = useState<[number, boolean]>([-1, false])
  const box = useRef<HTMLDivElement>(null)
  useHovered(box)
  const heads: { text: string; name?: string; doc?: string; of: (row: number, place: number) => number }[] = [
    { text: 'trial', of: (row) => store.column(0)?.x[row] ?? NaN },
    ...[...objectives(), ...limited()].map((id) => ({
      text: title(columns[id]) + better(columns[id]),
      name: columns[id].name,
      doc: columns[id].doc,
      of: (row: number) => store.column(id)?.x[row] ?? NaN,
    })),
    ...(front.verified ?? []).map((v) => ({
      text: `${title({ name: v.metric, unit: v.unit })}${better(v)} verified`,
      name: v.metric,
      doc: unseen,
      of: (_: number, place: number) => v.values[place] ?? NaN,
    })),
  ]
  const order = front.rows.map((_, k) => k)
  if (heads[by]) {
    const keys = front.rows.map((row, k) => heads[by].of(row, k) * (down ? -1 : 1))
    const last = (x: number) => (x === x ? x : Infinity)
    order.sort((a, b) => last(keys[a]) - last(keys[b]) || a - b)
  }
  const [shown, more] = useFew(order, 20, 'design')
  const many = goal.objectives.length > 1 ? 'The front' : 'The best'
  return (
    <Figure id="front-table" wide title={front.feasible ? many : 'The designs nearest to the limits'} note={!front.feasible && 'No design keeps every limit.'}>
      <div ref={box} class="scroll">
        <table>
          <thead>
            <tr>
              {heads.map((h, i) => (
                <th class="number" title={h.doc} aria-sort={by !== i ? 'none' : down ? 'descending' : 'ascending'}>
                  <button class="link" onClick={() => setSort([i, by === i && !down])}>
                    {cut(h.text, 60)}
                    {by === i && (down ? ' ▾' : ' ▴')}
                  </button>
                </th>
              ))}
              <th>design</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((k) => {
              const row = front.rows[k]
              return (
                <tr key={row} data-row={row} class={picks.value.includes(row) ? 'picked' : undefined} {...rowEvents(row)}>
                  {heads.map((h, i) => (
                    <td class="number" title={String(h.of(row, k))}>
                      {i ? (
                        number(h.of(row, k))
                      ) : (
                        <button class="link" onFocus={() => (hover.value = row)}>
                          {trial(row)}
                        </button>
                      )}
                    </td>
                  ))}
                  <td class="design" title={cut(short(row), 1000)}>
                    <i>{roles(row)}</i> {cut(short(row), 100)}
                  </td>
                </tr>
              )
            })}
            {front.references?.map((r) => (
              <tr key={r.name} class="reference">
                {heads.map((h, i) => (
                  <td class="number">{i ? number(r.values[h.name!] ?? NaN) : '◇'}</td>
                ))}
                <td class="design">{r.name}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {more}
    </Figure>
  )
}
