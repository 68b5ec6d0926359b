// Intermediate results: how trials developed, and where they were stopped.

import { useMemo } from 'preact/hooks'
import { choices, choose, mask, store } from './state'
import { number, plural, title } from './format'
import { block, Choice, Figure, Key, Lazy } from './figure'
import { frame } from './cloud'
import { line, Plot } from './plot'
import { objectives, onFront, record } from './rows'
import { clamp, quantile, room, scale } from './scale'
import { colour } from './theme'

const most = 400 // lines; more are a carpet

function Drawn({ row, step, value, name, width }: Record<'row' | 'step' | 'value', ArrayLike<number>> & { name: string; width: number }) {
  const state = store.column(record('state'))
  const model = useMemo(() => {
    const entries = new Map<number, [from: number, to: number]>() // of a row
    for (let i = 0, from = 0; i < row.length; i++) {
      if (row[i] === row[i + 1]) continue
      entries.set(row[i], [from, i + 1])
      from = i + 1
    }
    const front = onFront()
    const every = Math.ceil(entries.size / most)
    const shown = [...entries.keys()].filter((r, i) => i % every === 0 || front[r])
    const meta = store.view.columns.find((c) => c.part === 'metric' && c.name === name)
    const f = frame(width, clamp(width * 0.5, 240, 360), 56)
    // A few wild values must not flatten all others.
    const values = Float64Array.from(value).filter(Number.isFinite).sort()
    const log = meta?.log && values[0] > 0
    const steps = Float64Array.from(step).sort()
    const xs = scale(steps[0], steps[steps.length - 1], f.left, f.right)
    const ys = scale(...room([quantile(values, 0.005), quantile(values, 0.995)], log, 0.06), f.bottom, f.top, log)
    // places are those of a row's line, at most about 300.
    const places = (r: number) => {
      const out: [number, number][] = []
      const [a, b] = entries.get(r) ?? [0, 0]
      const every = Math.max(Math.floor((b - a) / 300), 1)
      for (let i = a; i < b; i++) {
        if (((i - a) % every === 0 || i === b - 1) && Number.isFinite(value[i])) out.push([xs(step[i]), clamp(ys(value[i]), f.top, f.bottom)])
      }
      return out
    }
    const pruned = state?.meta.values!.indexOf('pruned')
    const kind = (r: number) => (front[r] ? 2 : state && state.x[r] === pruned ? 1 : 0)
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      const base = clamp(6 / Math.sqrt(shown.length), 0.2, 0.8)
      ;['--point', '--cat-3', '--front'].forEach((name, k) => {
        g.strokeStyle = g.fillStyle = colour(name)
        g.lineWidth = k === 2 ? 1.5 : 1
        for (const r of shown) {
          if (kind(r) !== k) continue
          g.globalAlpha = m.all || m.bits[r] ? (k === 2 ? 0.9 : base) : 0.06
          g.beginPath()
          const at = places(r)
          for (const [x, y] of at) g.lineTo(x, y)
          g.stroke()
          // A dot is where a trial was stopped, or all that there is of it.
          const [x, y] = at.at(-1) ?? [0, 0]
          if (k === 1 || at.length === 1) g.fillRect(x - 1.5, y - 1.5, 3, 3)
        }
      })
      g.globalAlpha = 1
    }
    const find = (x: number, y: number, reach: number) => {
      let best = reach
      let row = -1
      for (const r of shown) {
        for (const [px, py] of places(r)) {
          const d = Math.hypot(px - x, py - y)
          if (d < best) {
            best = d
            row = r
          }
        }
      }
      return row
    }
    const mark = (r: number, name: string) => entries.has(r) && <path class={name} d={line(places(r))} />
    return { f, xs, ys, draw, find, mark, yTitle: title(meta ?? { name }), shown: shown.length, all: entries.size }
  }, [row, value, state, width])
  return (
    <>
      <Plot
        frame={model.f}
        x={model.xs}
        y={model.ys}
        xTitle="step"
        yTitle={model.yTitle}
        label={`${name} after every step of ${plural(model.shown, 'trial')}`}
        draw={model.draw}
        find={model.find}
        mark={model.mark}
        tip={[record('state'), ...objectives()]}
      />
      <p class="note">
        {model.shown < model.all && `${number(model.shown)} of ${plural(model.all, 'trial')}: all of the front and an even sample of the others. `}
        {store.view.curves!.note}
      </p>
    </>
  )
}

function Loading({ k, name, width }: { k: number; name: string; width: number }) {
  const row = block('curves.row', 'u32')
  const step = block('curves.step', 'f64')
  const value = block(`curves.value.${k}`, 'f64')
  return row && step && value ? <Drawn row={row} step={step} value={value} name={name} width={width} /> : null
}

export function Curves() {
  const { metrics = [], points } = store.view.curves ?? {}
  const k = Math.max(metrics.indexOf(choices.value['curves']), 0)
  return (
    <Figure
      id="curves"
      wide
      title="How trials developed"
      absent={!points && 'No trial reported results on the way.'}
      tools={metrics.length > 1 && <Choice label="metric" value={metrics[k]} options={metrics.map((m) => [m, m])} on={(v) => choose('curves', v)} />}
    >
      <Key
        items={[
          ['--front', 'on the front'],
          ['--cat-3', 'stopped early'],
          ['--point', 'others'],
        ]}
      />
      <Lazy height={320}>{(width) => <Loading k={k} name={metrics[k]} width={width} />}</Lazy>
    </Figure>
  )
}
