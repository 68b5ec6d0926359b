// The designs of the front as pictures.

import { useState } from 'preact/hooks'
import { hover, mask, picks, store } from './state'
import { cut, plural } from './format'
import { Figure } from './figure'
import { Drawing, rowEvents, trial, Value } from './bits'

const few = 24

function Card({ row, label }: { row: number; label?: string }) {
  const m = mask.value
  const { objectives } = store.view.goal
  const roles = store.view.answer.picks.filter((p) => p.row === row).map((p) => p.role)
  return (
    <button
      class={'card' + (hover.value === row ? ' lit' : '') + (m.all || m.bits[row] ? '' : ' out')}
      aria-pressed={picks.value.includes(row)}
      title={label && cut(label, 1000)}
      {...rowEvents(row)}
    >
      <Drawing row={row} />
      <span class="head">
        <b>{trial(row)}</b>
        {roles.length > 0 && <i>{roles.join(', ')}</i>}
      </span>
      {label && <small>{cut(label, 90)}</small>}
      {objectives.map((o) => (
        <span key={o.metric} class="line">
          <small>{cut(o.metric, 20)}</small>
          <Value id={o.column} row={row} unit />
        </span>
      ))}
    </button>
  )
}

export function Gallery() {
  const [whole, setWhole] = useState(false)
  const { front, missing, drawings } = store.view
  // With a large front, the even sample along it that fits and the picks.
  const every = Math.max(Math.ceil(front.rows.length / few), 1)
  const wanted = new Set(store.view.answer.picks.map((p) => p.row))
  const shown = front.rows.map((row, k) => ({ row, k })).filter(({ row, k }) => whole || k % every === 0 || wanted.has(row))
  const most = 600
  return (
    <Figure
      id="gallery"
      wide
      title={front.rows.length === 1 ? 'The best design' : 'The designs of the front'}
      absent={front.rows.length ? '' : 'There is no finished design yet.'}
      note={
        <>
          {!front.feasible && 'No design keeps every limit; these miss them least. '}
          {!drawings && missing.drawings} {shown.length < front.rows.length && `An even sample of ${plural(front.rows.length, 'design')}. `}
        </>
      }
    >
      <div class={drawings ? 'gallery' : 'gallery plain'}>
        {shown.slice(0, most).map(({ row, k }) => (
          <Card key={row} row={row} label={front.labels?.[k]} />
        ))}
      </div>
      {every > 1 && (
        <button class="plain tools" aria-expanded={whole} onClick={() => setWhole(!whole)}>
          {whole
            ? 'Fewer'
            : front.rows.length > most
              ? `The first ${most} of ${plural(front.rows.length, 'design')}`
              : `All ${plural(front.rows.length, 'design')}`}
        </button>
      )}
    </Figure>
  )
}
