// Which parameters matter: their shares side by side for every target.

import { choices, choose, store } from './state'
import { cut, percent } from './format'
import { Bar, Choice, Figure, Head, useFew } from './figure'

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

export const targetName = (target: string) => (target === 'front' ? 'the front' : cut(target, 24))

export function Importance() {
  const all = store.view.importance ?? []
  const lanes = all.length <= 4 ? all : [target()]
  const shares = lanes.map((i) => new Map(i.shares.map((s) => [s.column, s.share])))
  const largest = (id: number) => Math.max(...shares.map((s) => s.get(id) ?? 0))
  const ids = [...new Set(lanes.flatMap((i) => i.shares.map((s) => s.column)))].sort((a, b) => largest(b) - largest(a))
  const [shown, more] = useFew(ids, 10, 'parameter')
  const weak = lanes.filter((i) => i.shares.every((s) => s.explained < 0.05)).map((i) => targetName(i.target))
  return (
    <Figure
      id="importance"
      title="Which parameters matter"
      absent={!ids.length && 'No parameter makes a difference that shows.'}
      tools={all.length > 4 && <Choice label="for" value={lanes[0].target} options={all.map((i) => [i.target, i.target])} on={(v) => choose('importance', v)} />}
      note={
        <>
          {weak.length > 0 && <b>No parameter explains much of {weak.join(', ')} by itself. </b>}
          Share of what tells good trials from all that a parameter explains (PED-ANOVA). Good: {[...new Set(lanes.map((i) => i.best))].join('; ')}.
        </>
      }
    >
      <div class="scroll">
        <table class="bars">
          <Head titles={['parameter', ...lanes.map((i) => targetName(i.target))]} />
          <tbody>
            {shown.map((id) => {
              const { name } = store.view.columns[id]
              return (
                <tr>
                  <th scope="row">
                    <button class="link" title={`${cut(name, 500)}: see what its values do`} onClick={() => study(id)}>
                      {cut(name, 40)}
                    </button>
                  </th>
                  {shares.map((s, k) => (
                    <Bar
                      share={s.get(id) ?? 0}
                      most={largest(ids[0])}
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
