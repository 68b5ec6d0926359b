// What the searcher did to make designs, and where the time went.

import { store } from './state'
import { cut, number, percent, plural, seconds } from './format'
import { Figure } from './figure'
import { Share } from './kit'

export function Operators() {
  const { operators = [], front } = store.view
  const sum = (of: (o: (typeof operators)[number]) => number) => operators.reduce((s, o) => s + of(o), 0)
  const trials = sum((o) => o.trials) || 1
  const most = Math.max(...operators.map((o) => Math.max(o.gain, o.trials / trials, o.onFront / Math.max(front.rows.length, 1))), 1e-9)
  return (
    <Figure
      id="operators"
      title="What made good designs"
      missing="operators"
      note={operators.length > 0 && 'Gain: share of all improvement of the result that came from designs made in this way. An operator pays where its gain exceeds its share of the trials.'}
    >
      {operators.length === 0 ? (
        <p class="absent">The searcher did not say how it made its designs.</p>
      ) : (
        <div class="scroll">
          <table class="operators">
            <thead>
              <tr>
                {['operator', 'trials', 'on the front', 'gain'].map((h) => (
                  <th key={h} scope="col">
                    {h}
                  </th>
                ))}
                <th scope="col" class="number">
                  time
                </th>
              </tr>
            </thead>
            <tbody>
              {operators.map((o) => (
                <tr key={o.name}>
                  <th scope="row" title={cut(o.name, 500)}>
                    {cut(o.name, 30)}
                  </th>
                  <td title={percent(o.trials / trials) + ' of all trials'}>
                    <Share share={o.trials / trials} most={most} colour="--faint" />
                    <small>{number(o.trials)}</small>
                  </td>
                  <td title={`${percent(o.onFront / Math.max(front.rows.length, 1))} of the front`}>
                    <Share share={o.onFront / Math.max(front.rows.length, 1)} most={most} colour="--front" />
                    <small>{number(o.onFront)}</small>
                  </td>
                  <td>
                    <Share share={o.gain} most={most} />
                    <small>{percent(o.gain)}</small>
                  </td>
                  <td class="number muted">{o.seconds > 0 ? seconds(o.seconds) : '–'}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
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
    <Figure id="phases" title="Where the time went" missing="phases" note={all > 0 && `${seconds(all)}, summed over ${plural(store.view.trials.total, 'trial')}.`}>
      {all > 0 ? (
        <>
          <div class="phasebar" aria-hidden="true">
            {phases.map((p) => (
              <i key={p.name} title={`${p.name}: ${p.text}`} style={{ width: (100 * p.seconds) / all + '%', background: tint(p) }} />
            ))}
          </div>
          <table class="phases">
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
        </>
      ) : (
        <p class="absent">No time was recorded.</p>
      )}
    </Figure>
  )
}
