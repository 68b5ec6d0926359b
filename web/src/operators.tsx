// What the searcher did to make designs, and where the time went.

import { store } from './state'
import { cut, number, percent, plural, seconds } from './format'
import { Figure } from './figure'
import { Bar, Head } from './kit'

export function Operators() {
  const { operators = [], front } = store.view
  const trials = operators.reduce((s, o) => s + o.trials, 0) || 1
  const size = front.rows.length || 1
  const most = Math.max(...operators.map((o) => Math.max(o.gain, o.trials / trials, o.onFront / size)), 1e-9)
  return (
    <Figure
      id="operators"
      title="What made good designs"
      missing="operators"
      absent={operators.length ? '' : 'The searcher did not say how it made its designs.'}
      note={
        'Gain: share of all improvement that came from designs made in this way. An operator pays where its gain exceeds its share of the trials.'
      }
    >
      <div class="scroll">
        <table class="bars">
          <Head titles={['operator', 'trials', 'on the front', 'gain', 'time']} />
          <tbody>
            {operators.map((o) => (
              <tr key={o.name}>
                <th scope="row" title={cut(o.name, 500)}>
                  {cut(o.name, 30)}
                </th>
                <Bar
                  share={o.trials / trials}
                  most={most}
                  colour="--faint"
                  text={number(o.trials)}
                  title={`${percent(o.trials / trials)} of all trials`}
                />
                <Bar
                  share={o.onFront / size}
                  most={most}
                  colour="--front"
                  text={number(o.onFront)}
                  title={`${percent(o.onFront / size)} of the front`}
                />
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

// colours of phases, the longest first.
const colours = ['--ramp-3', '--ramp-1', '--faint', '--ramp-2', '--line', '--ramp-4']

export function Phases() {
  const phases = (store.view.phases ?? []).filter((p) => p.seconds > 0)
  const all = phases.reduce((s, p) => s + p.seconds, 0)
  const rank = [...phases].sort((a, b) => b.seconds - a.seconds)
  const tint = (p: (typeof phases)[number]) => `var(${colours[rank.indexOf(p) % colours.length]})`
  return (
    <Figure
      id="phases"
      title="Where the time went"
      missing="phases"
      absent={all > 0 ? '' : 'No time was recorded.'}
      note={`${seconds(all)}, summed over ${plural(store.view.trials.total, 'trial')}.`}
    >
      <div class="phasebar" aria-hidden="true">
        {phases.map((p) => (
          <i key={p.name} title={`${p.name}: ${p.text}`} style={{ width: (100 * p.seconds) / all + '%', background: tint(p) }} />
        ))}
      </div>
      <table class="bars phases">
        <tbody>
          {phases.map((p) => (
            <tr key={p.name}>
              <th scope="row">
                <i style={{ background: tint(p) }} />
                {p.name}
              </th>
              <td class="number">{seconds(p.seconds)}</td>
              <td class="number">{percent(p.seconds / all)}</td>
              <td class="muted">{p.text}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Figure>
  )
}
