// What the searcher did to make designs, and where the time went.

import { store } from './state'
import { cut, number, percent, plural, seconds } from './format'
import { Bar, Figure, Head } from './figure'

export function Operators() {
  const { operators = [], front } = store.view
  const trials = operators.reduce((s, o) => s + o.trials, 0) || 1
  const size = front.rows.length || 1
  const most = Math.max(...operators.map((o) => Math.max(o.gain, o.trials / trials, o.onFront / size)), 1e-9)
  return (
    <Figure
      id="operators"
      title="What made good designs"
      absent={!operators.length && 'The searcher did not say how it made its designs.'}
      note="Gain: share of all improvement that came from such designs. An operator pays where it exceeds its share of the trials."
    >
      <div class="scroll">
        <table class="bars">
          <Head titles={['operator', 'trials', 'on the front', 'gain', 'time']} />
          <tbody>
            {operators.map((o) => (
              <tr>
                <th scope="row" title={cut(o.name, 500)}>
                  {cut(o.name, 30)}
                </th>
                <Bar share={o.trials / trials} most={most} colour="--faint" text={number(o.trials)} title={percent(o.trials / trials)} />
                <Bar share={o.onFront / size} most={most} colour="--front" text={number(o.onFront)} title={percent(o.onFront / size)} />
                <Bar share={o.gain} most={most} text={percent(o.gain)} />
                <td class="muted">{o.seconds > 0 ? seconds(o.seconds) : '–'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Figure>
  )
}

export function Phases() {
  const phases = (store.view.phases ?? []).filter((p) => p.seconds > 0)
  const all = phases.reduce((s, p) => s + p.seconds, 0)
  return (
    <Figure
      id="phases"
      title="Where the time went"
      absent={!all && 'No time was recorded.'}
      note={`${seconds(all)}, summed over ${plural(store.view.trials.total, 'trial')}.`}
    >
      <div class="scroll">
        <table class="bars">
          <Head titles={['phase', 'share', 'time', '']} />
          <tbody>
            {phases.map((p) => (
              <tr>
                <th scope="row">{p.name}</th>
                <Bar share={p.seconds / all} text={percent(p.seconds / all)} />
                <td title={p.seconds + ' s'}>{seconds(p.seconds)}</td>
                <td class="muted prose">{p.text}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Figure>
  )
}
