// How the search went: the best value or the hypervolume after each evaluation,
// beside what random sampling reaches.

import type { History } from './data'
import { useSignal, type Signal } from '@preact/signals'
import { Prose } from './bits'
import { Axes, Figure, useWidth } from './figure'
import { number, plural, title } from './format'
import { linear, logarithmic, whole, type Scale } from './scale'
import { store } from './state'
import { room } from './rows'
import { margin } from './scatter'
import { Tip } from './tip'

// upTo is the last index whose trial number is at most x, or -1.
function upTo(trials: number[], x: number): number {
  let a = 0
  let b = trials.length
  while (a < b) {
    const m = (a + b) >> 1
    if (trials[m] <= x) a = m + 1
    else b = m
  }
  return a - 1
}

export function HistoryFigure(p: { wide: boolean }) {
  const { history, goal, missing } = store.view
  if (!history?.trials.length) {
    return (
      <Figure id="history" title="How the search went" wide={p.wide} missing={missing.history === undefined ? undefined : 'history'}>
        <p class="absent">Nothing was measured.</p>
      </Figure>
    )
  }
  const { baseline, reference } = history
  return (
    <Figure
      id="history"
      title="How the search went"
      wide={p.wide}
      note={
        <>
          {baseline ? `${baseline.ahead} The band is ${baseline.what}.` : missing.baseline && <Prose text={missing.baseline} />}
          {reference && ` The hypervolume is measured from ${reference.map((v, i) => `${goal.objectives[i]?.metric} ${number(v)}`).join(', ')}.`}
        </>
      }
    >
      <Lines of={history} />
    </Figure>
  )
}

function Lines({ of: history }: { of: History }) {
  const [ref, width] = useWidth<HTMLDivElement>()
  const at = useSignal<number | undefined>(undefined) // evaluations under the pointer
  const { trials, values, baseline } = history
  const volume = history.measure === 'hypervolume'
  const last = trials.length - 1
  const height = 320
  const top = 30
  const bottom = height - 44
  const ends = baseline ? [baseline.low, baseline.high].flatMap((v) => [v[0], v[v.length - 1]]) : []
  let low = Math.min(values[0], values[last], ...ends)
  let high = Math.max(values[0], values[last], ...ends)
  // A bad start would press the rest against an edge: the axis then begins where
  // a fiftieth of the evaluations was done.
  const soon = values[Math.max(upTo(trials, trials[last] / 50), 0)]
  const log = history.log && low > 0
  if (!log && Math.abs(values[0] - values[last]) > 5 * Math.abs(soon - values[last]) && soon !== values[last]) {
    const early = [soon, ...(baseline ? [baseline.middle[Math.max(upTo(baseline.trials, trials[last] / 50), 0)]] : [])]
    if (history.better === 'low') high = Math.max(...early, values[last])
    else low = Math.min(...early, values[last])
  }
  if (low === high) {
    low -= Math.abs(low) * 0.1 || 1
    high += Math.abs(high) * 0.1 || 1
  }
  const [a, b] = room([low, high], log, 0.06)
  const y = (log ? logarithmic : linear)(a, b, bottom, top)
  const left = margin(y, height)
  const right = width - (width > 420 ? 104 : 14) // labels stand at the ends of the lines
  const wide = Math.max(right - left + 2, 0)
  const s = linear(0, trials[last], left, right)
  const x = Object.assign(s, { ticks: whole(s) })
  const steps = (ts: number[], vs: number[]) =>
    ts.map((t, k) => (k === 0 ? `M${x(t).toFixed(1)} ${y(vs[k]).toFixed(1)}` : `H${x(t).toFixed(1)}V${y(vs[k]).toFixed(1)}`)).join('')
  const line = (ts: number[], vs: number[]) => 'M' + ts.map((t, k) => `${x(t).toFixed(1)} ${y(vs[k]).toFixed(1)}`).join('L')
  const band = baseline && line([...baseline.trials, ...baseline.trials.slice().reverse()], [...baseline.high, ...baseline.low.slice().reverse()])
  // Labels keep a line's distance from each other.
  const endY = y(values[last])
  const baseEnd = baseline ? y(baseline.middle[baseline.middle.length - 1]) : NaN
  const apart = Math.max(0, 30 - Math.abs(endY - baseEnd)) / 2 || 0
  const sign = endY <= baseEnd ? -1 : 1
  const unit = history.unit && !volume ? ' ' + history.unit : ''
  const label = (text: string, value: number, py: number, name: string) => (
    <text class={'name ' + name} x={right + 8} y={py}>
      <tspan>{text}</tspan>
      <tspan x={right + 8} dy="14">
        {number(value) + unit}
      </tspan>
    </text>
  )
  const better = history.better === 'low' ? 'less is better' : 'more is better'
  return (
    <div class="plot" ref={ref} style={{ height: height + 'px' }}>
      {width > 0 && (
        <svg
          width={width}
          height={height}
          role="img"
          aria-label={`${history.measure} over ${number(trials[last])} evaluations, in the end ${number(values[last])}${unit}`}
          onPointerMove={(e) => {
            const t = x.invert(e.clientX - e.currentTarget.getBoundingClientRect().left)
            at.value = t >= 0 && t <= trials[last] ? Math.round(t) : undefined
          }}
          onPointerLeave={() => (at.value = undefined)}
        >
          <Axes
            {...{ x, y, left, right, top, bottom }}
            xTitle="evaluations"
            yTitle={`${title({ name: volume ? 'hypervolume' : 'best ' + history.measure, unit: history.unit })} · ${better}`}
          />
          <svg x={left} y={top - 2} width={wide} height={bottom - top + 4} viewBox={`${left} ${top - 2} ${wide} ${bottom - top + 4}`}>
            {band && <path class="band" d={band} />}
            {baseline && <path class="base" d={line(baseline.trials, baseline.middle)} />}
            <path class="own" d={steps(trials, values)} />
          </svg>
          <circle class="own" cx={x(trials[last])} cy={endY} r={3} />
          {width > 420 && label('this search', values[last], endY + sign * apart - 3, 'own')}
          {width > 420 && baseline && label('random', baseline.middle[baseline.middle.length - 1], baseEnd - sign * apart - 3, 'base')}
          <Cross at={at} x={x} y={y} top={top} bottom={bottom} />
        </svg>
      )}
      <CrossTip at={at} x={x} top={top} width={width} />
    </div>
  )
}

// reading is the values after so many evaluations.
function reading(t: number): { own: number; base: number } {
  const { trials, baseline } = store.view.history!
  return { own: upTo(trials, t), base: baseline ? upTo(baseline.trials, t) : -1 }
}

// Cross follows the pointer; it is apart so that the lines are not made again.
function Cross(p: { at: Signal<number | undefined>; x: Scale; y: Scale; top: number; bottom: number }) {
  const t = p.at.value
  if (t === undefined) return null
  const { values, baseline } = store.view.history!
  const { own, base } = reading(t)
  return (
    <g>
      <line class="cross" x1={p.x(t)} x2={p.x(t)} y1={p.top} y2={p.bottom} />
      {base >= 0 && <circle class="base" cx={p.x(t)} cy={p.y(baseline!.middle[base])} r={3.5} />}
      {own >= 0 && <circle class="own" cx={p.x(t)} cy={p.y(values[own])} r={3.5} />}
    </g>
  )
}

function CrossTip(p: { at: Signal<number | undefined>; x: Scale; top: number; width: number }) {
  const t = p.at.value
  if (t === undefined) return null
  const { values, baseline, unit } = store.view.history!
  const { own, base } = reading(t)
  const row = (name: string, text: string) => (
    <tr>
      <th>{name}</th>
      <td>
        {text} {unit}
      </td>
    </tr>
  )
  return (
    <Tip x={p.x(t)} y={p.top + 40} width={p.width}>
      <b>after {plural(t, 'evaluation')}</b>
      <table>
        {row('this search', own >= 0 ? number(values[own]) : '–')}
        {base >= 0 && row('random', `${number(baseline!.middle[base])} (${number(baseline!.low[base])} to ${number(baseline!.high[base])})`)}
      </table>
    </Tip>
  )
}
