// How the search went: the best value or the hypervolume after each evaluation,
// beside what random sampling reaches.

import { useMemo } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import { Prose } from './bits'
import { frame, margin } from './cloud'
import type { History } from './data'
import { place } from './drag'
import { Figure, Lazy } from './figure'
import { number, plural, title } from './format'
import { Axes, line, Tip } from './plot'
import { room, scale, upTo, whole } from './scale'
import { store } from './state'

export function HistoryFigure(p: { wide: boolean }) {
  const { history, goal, missing } = store.view
  const { baseline, reference } = history ?? {}
  return (
    <Figure
      id="history"
      title="How the search went"
      wide={p.wide}
      absent={!history?.trials.length && 'Nothing was measured.'}
      note={
        <>
          {baseline ? `${baseline.ahead} The band is ${baseline.what}.` : missing.baseline && <Prose text={missing.baseline} />}
          {reference && ` The hypervolume is measured from ${reference.map((v, i) => `${goal.objectives[i]?.metric} ${number(v)}`).join(', ')}.`}
        </>
      }
    >
      <Lazy height={320}>{(width) => <Lines of={history!} width={width} />}</Lazy>
    </Figure>
  )
}

function Lines({ of: h, width }: { of: History; width: number }) {
  const at = useSignal(-1) // evaluations under the pointer
  const { trials, values, baseline } = h
  const end = values.length - 1
  const model = useMemo(() => {
    const shown = [values[0], values[end], ...(baseline ? [baseline.low, baseline.high].flatMap((v) => [v[0], v[v.length - 1]]) : [])]
    let low = Math.min(...shown)
    let high = Math.max(...shown)
    // A bad start would press the rest against an edge: the axis then begins where
    // a fiftieth of the evaluations was done.
    const early = (ts: number[], vs: number[]) => vs[Math.max(upTo(ts, trials[end] / 50), 0)]
    const soon = early(trials, values)
    const log = h.log && low > 0
    if (!log && soon !== values[end] && Math.abs(values[0] - values[end]) > 5 * Math.abs(soon - values[end])) {
      const all = [soon, values[end], ...(baseline ? [early(baseline.trials, baseline.middle)] : [])]
      if (h.better === 'low') high = Math.max(...all)
      else low = Math.min(...all)
    }
    if (low === high) {
      const more = Math.abs(low) * 0.1 || 1
      low -= more
      high += more
    }
    const f = frame(width, 320, 0)
    const y = scale(...room([low, high], log, 0.06), f.bottom, f.top, log)
    f.left = margin(y, f)
    if (width > 420) f.right -= 90 // labels stand at the ends of the lines
    const x = whole(scale(0, trials[end], f.left, f.right))
    const steps = trials.map((t, k) => `${k ? 'H' : 'M'}${x(t).toFixed(1)}${k ? 'V' : ' '}${y(values[k]).toFixed(1)}`).join('')
    const path = (ts: number[], vs: number[]) => line(ts.map((t, k) => [x(t), y(vs[k])]))
    return {
      f,
      x,
      y,
      lines: (
        // Only what is inside the frame.
        <svg {...{ x: f.left, y: f.top - 2, width: f.right - f.left + 2, height: f.bottom - f.top + 4 }}>
          <g transform={`translate(${-f.left} ${2 - f.top})`}>
            {baseline && (
              <>
                <path class="band" d={path([...baseline.trials, ...baseline.trials.slice().reverse()], [...baseline.high, ...baseline.low.slice().reverse()])} />
                <path class="base" d={path(baseline.trials, baseline.middle)} />
              </>
            )}
            <path class="own" d={steps} />
          </g>
        </svg>
      ),
    }
  }, [h, width])
  const { f, x, y } = model
  const volume = h.measure === 'hypervolume'
  const unit = h.unit && !volume ? ' ' + h.unit : ''
  // Labels keep a line's distance from each other.
  const [own, base] = [y(values[end]), baseline ? y(baseline.middle.at(-1)!) : NaN]
  const apart = (Math.max(0, 30 - Math.abs(own - base)) / 2 || 0) * (own <= base ? -1 : 1)
  const label = (text: string, value: number, py: number, name: string) => (
    <text class={'name ' + name} y={py}>
      <tspan x={f.right + 8}>{text}</tspan>
      <tspan x={f.right + 8} dy="14">
        {number(value) + unit}
      </tspan>
    </text>
  )
  const t = at.value
  const [k, b] = [upTo(trials, t), baseline ? upTo(baseline.trials, t) : -1]
  return (
    <div class="plot" style={{ height: f.height + 'px' }}>
      <svg
        width={width}
        height={f.height}
        role="img"
        aria-label={`${h.measure} over ${plural(trials[end], 'evaluation')}, in the end ${number(values[end])}${unit}`}
        onPointerMove={(e) => {
          const t = Math.round(x.invert(place(e)[0]))
          at.value = t <= trials[end] ? t : -1
        }}
        onPointerLeave={() => (at.value = -1)}
      >
        <Axes
          frame={f}
          x={x}
          y={y}
          xTitle="evaluations"
          yTitle={`${title({ name: volume ? h.measure : 'best ' + h.measure, unit: h.unit })} · ${h.better === 'low' ? 'less' : 'more'} is better`}
        />
        {model.lines}
        <circle class="own" cx={x(trials[end])} cy={own} r={3} />
        {width > 420 && label('this search', values[end], own + apart - 3, 'own')}
        {width > 420 && baseline && label('random', baseline.middle.at(-1)!, base - apart - 3, 'base')}
        {t >= 0 && <path class="cross" d={`M${x(t)} ${f.top}V${f.bottom}`} />}
        {b >= 0 && <circle class="base" cx={x(t)} cy={y(baseline!.middle[b])} r={3.5} />}
        {k >= 0 && <circle class="own" cx={x(t)} cy={y(values[k])} r={3.5} />}
      </svg>
      {t >= 0 && (
        <Tip x={x(t)} y={f.top + 40} width={width}>
          <b>after {plural(t, 'evaluation')}</b>
          <p>
            this search: {k < 0 ? 'nothing yet' : values[k] + unit}
            {b >= 0 && (
              <>
                <br />
                random: {baseline!.middle[b] + unit} ({number(baseline!.low[b])} to {number(baseline!.high[b])})
              </>
            )}
          </p>
        </Tip>
      )}
    </div>
  )
}
