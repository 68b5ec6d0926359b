// What good designs have in common, against how common it is among all.

import { brush, brushes, store } from './state'
import { cut, number, percent } from './format'
import { Bar, Figure, Head, useFew } from './figure'

export function Winners() {
  const { good, winner } = store.view.winners ?? { good: '', winner: [] }
  const [shown, more] = useFew(winner, 6, 'value')
  return (
    <Figure
      id="winners"
      title="What the winners share"
      absent={!winner.length && 'No value is more common among the good designs than chance explains.'}
      note={`Good: ${good}. Bar: their share that has the value; mark: that of all trials; chance: how likely as many are by luck. Click to select.`}
    >
      <div class="scroll">
        <table class="bars winners">
          <Head titles={['value', '', 'of good', 'of all', 'chance']} />
          <tbody>
            {shown.map((w) => {
              const c = store.view.columns[w.column]
              const on = brushes.value.get(w.column)
              const same = on?.[0] === w.low && on[1] === w.high
              return (
                <tr>
                  <th scope="row">
                    <button
                      class="link"
                      aria-pressed={same}
                      title={cut(`${c.name} = ${w.text}`, 500)}
                      onClick={() => brush([w.column, same ? undefined : [w.low, w.high]])}
                    >
                      {cut(c.name, 32)} = <b>{cut(w.text, 32)}</b> {c.unit}
                    </button>
                  </th>
                  <Bar share={w.good / w.ofGood} colour="--front">
                    <s style={{ left: (100 * w.all) / w.ofAll + '%' }} />
                  </Bar>
                  <td>
                    {number(w.good)} of {number(w.ofGood)}
                  </td>
                  <td title={`${number(w.all)} of ${number(w.ofAll)}`}>{percent(w.all / w.ofAll)}</td>
                  <td title={String(w.chance)}>{percent(w.chance)}</td>
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
