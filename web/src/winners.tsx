// What good designs have in common, against how common it is among all.

import { brush, brushes, store } from './state'
import { cut, number, percent } from './format'
import { Figure } from './figure'
import { Share } from './kit'

export function Winners() {
  const { good, winner } = store.view.winners ?? { good: '', winner: [] }
  return (
    <Figure
      id="winners"
      title="What the winners share"
      missing="winners"
      note={
        winner.length > 0 &&
        `Bars: share of good designs (${good}); the mark is the share of all trials. Chance: how likely a choice at random has as many. Click a value to select it everywhere.`
      }
    >
      {winner.length === 0 ? (
        <p class="absent">No value is more common among the good designs than chance explains.</p>
      ) : (
        <table class="winners">
          <tbody>
            {winner.map((w) => {
              const c = store.view.columns[w.column]
              const on = brushes.value.get(w.column)
              const same = on?.[0] === w.low && on[1] === w.high
              return (
                <tr key={`${w.column} ${w.low}`}>
                  <th scope="row">
                    <button class="link" aria-pressed={same} title={cut(`${c.name} = ${w.text}`, 500)} onClick={() => brush(w.column, same ? undefined : [w.low, w.high])}>
                      {cut(c.name, 32)} = <b>{cut(w.text, 32)}</b> {c.unit}
                    </button>
                  </th>
                  <td class="both">
                    <Share share={w.good / w.ofGood} colour="--front" />
                    <s style={{ left: (100 * w.all) / w.ofAll + '%' }} />
                  </td>
                  <td>
                    <b>{number(w.good)}</b> of {number(w.ofGood)} good
                    <span class="muted"> · {percent(w.all / w.ofAll)} of all</span>
                  </td>
                  <td class="muted" title={`probability by chance ${w.chance.toExponential(2)}`}>
                    chance {percent(w.chance)}
                  </td>
                </tr>
              )
            })}
          </tbody>
        </table>
      )}
    </Figure>
  )
}
