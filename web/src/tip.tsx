// Tooltips: what stands under the pointer, in numbers.

import type { ComponentChildren } from 'preact'
import { store } from './state'
import { cut, exact, number, value } from './format'
import { frontPlace, kinds } from './rows'

// Tip stands beside a place of its plot, on the side where there is room. The
// plot must have class plot (position: relative).
export function Tip(p: { x: number; y: number; width: number; children: ComponentChildren }) {
  const left = p.x < p.width / 2
  return (
    <div class="tip" role="status" style={{ top: p.y + 'px', [left ? 'left' : 'right']: (left ? p.x : p.width - p.x) + 12 + 'px' }}>
      {p.children}
    </div>
  )
}

// RowTip is the tip of a trial: its number, what it is, and some of its values.
export function RowTip(p: { x: number; y: number; width: number; row: number; ids: number[] }) {
  const { view } = store
  const place = frontPlace(p.row)
  const roles = view.answer.picks.filter((a) => a.row === p.row).map((a) => a.role)
  if (p.row === view.front.knee && !roles.includes('knee')) roles.push('knee')
  if (place !== undefined && view.front.rows.length > 1) roles.push('on the front')
  if (kinds()?.[p.row] === 2) roles.push('misses a limit')
  const name = place === undefined ? undefined : view.front.labels?.[place]
  return (
    <Tip x={p.x} y={p.y} width={p.width}>
      <b>trial {number(store.column(0)?.x[p.row] ?? NaN)}</b>
      {roles.length > 0 && <i>{roles.join(', ')}</i>}
      {name && <p>{cut(name, 80)}</p>}
      <table>
        {[...new Set(p.ids)].map((id) => {
          const c = store.column(id)
          return (
            id > 0 &&
            c && (
              <tr key={id}>
                <th>{cut(c.meta.name, 32)}</th>
                <td title={exact(c.meta, c.x[p.row])}>
                  {cut(value(c.meta, c.x[p.row]), 40)} {Number.isNaN(c.x[p.row]) ? '' : c.meta.unit}
                </td>
              </tr>
            )
          )
        })}
      </table>
    </Tip>
  )
}
