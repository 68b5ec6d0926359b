// Which parameters matter: their shares side by side for every target.

import { choices, choose, store } from './state'
import { cut, percent } from './format'
import { Choice, Figure } from './figure'
import { Bar, Head, useFew } from './kit'

// study shows a parameter in the plots below.
export function study(column: number): void {
  const { name } = store.view.columns[column]
  choose('slice.x', name)
  choose('contour.x', name)
  document.getElementById('slices')?.scrollIntoView({ block: 'nearest' })
}

// target is the importance that plots show which have room for one: the chosen
// one, or that of the front, which comes first.
export function target() {
  const all = store.view.importance ?? []
  return all.find((i) => i.target === choices.value['importance']) ?? all[0]
}

// good says which trials count as good, what is alike for all targets once.
function good(best: string[]): string {
  const parts = best.map((b) => b.split(' by '))
  if (best.length < 2 || parts.some((p) => p.length !== 2 || p[0] !== parts[0][0])) return [...new Set(best)].join('; ')
  return `${parts[0][0]} by ${parts.map((p) => p[1]).join(', ')}`
}

export function Importance() {
  const all = store.view.importance ?? []
  const lanes = all.length <= 4 ? all : all.filter((i) => i === target())
  const shares = lanes.map((i) => new Map(i.shares.map((s) => [s.column, s.share])))
  const largest = (id: number) => Math.max(...shares.map((s) => s.get(id) ?? 0))
  const ids = [...new Set(lanes.flatMap((i) => i.shares.map((s) => s.column)))].sort((a, b) => largest(b) - largest(a))
  const most = ids.length ? largest(ids[0]) : 0
  const [shown, more] = useFew(ids, 10, 'parameter')
  return (
    <Figure
      id="importance"
      title="Which parameters matter"
      missing="importance"
      absent={ids.length ? '' : 'No parameter makes a difference that shows.'}
      tools={
        all.length > 4 && (
          <Choice
            label="for"
            value={lanes[0].target}
            options={all.map((i) => ({ value: i.target, text: i.target }))}
            on={(v) => choose('importance', v)}
          />
        )
      }
      note={`Share of the difference between good trials and all that a parameter explains (PED-ANOVA). Good: ${good(lanes.map((i) => i.best))}.`}
    >
      <div class="scroll">
        <table class="bars lanes">
          <Head titles={['parameter', ...lanes.map((i) => (i.target === 'front' ? 'the front' : cut(i.target, 24)))]} />
          <tbody>
            {shown.map((id) => {
              const c = store.view.columns[id]
              return (
                <tr key={id}>
                  <th scope="row">
                    <button class="link" title={`${cut(c.name, 500)}: see what its values do`} onClick={() => study(id)}>
                      {cut(c.name, 40)}
                    </button>
                  </th>
                  {shares.map((s, k) => (
                    <Bar
                      key={k}
                      share={s.get(id) ?? 0}
                      most={most}
                      colour={lanes[k].target === 'front' ? '--front' : undefined}
                      text={percent(s.get(id) ?? 0)}
                    />
                  ))}
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
      {more}
    </Figure>
  )
}
