// Intermediate results: how trials developed, and where they were stopped.

import { useMemo } from 'preact/hooks'
import { choices, choose, hover, mask, picks, store } from './state'
import { number, plural } from './format'
import { Choice, Figure } from './figure'
import { Lazy, Plot, record, Swatches, useBlock } from './kit'
import { room } from './rows'
import type { Frame } from './scatter'
import { linear, logarithmic, type Scale } from './scale'
import { colour } from './theme'
import { onFront } from './rows'

const most = 400 // lines; more are a carpet

interface Lines {
  start: Map<number, [number, number]> // of a row, entries from and to
  shown: number[] // rows
}

function lines(row: ArrayLike<number>): Lines {
  const start = new Map<number, [number, number]>()
  for (let i = 0; i < row.length;) {
    const from = i
    while (i < row.length && row[i] === row[from]) i++
    start.set(row[from], [from, i])
  }
  const all = [...start.keys()]
  const front = onFront()
  const every = Math.max(Math.ceil(all.length / most), 1)
  return { start, shown: all.filter((r, i) => i % every === 0 || front[r]) }
}

function Drawn({
  row,
  step,
  value,
  name,
  width,
}: {
  row: ArrayLike<number>
  step: ArrayLike<number>
  value: ArrayLike<number>
  name: string
  width: number
}) {
  const state = store.column(record('state'))
  const l = useMemo(() => lines(row), [row])
  const meta = store.view.columns.find((c) => c.part === 'metric' && c.name === name)
  const unit = meta?.unit ? ` (${meta.unit})` : ''
  const model = useMemo(() => {
    const height = Math.min(Math.max(width * 0.5, 240), 360)
    const frame: Frame = { width, height, left: 56, top: 26, right: width - 14, bottom: height - 42 }
    const some: number[] = []
    let low = Infinity
    let high = -Infinity
    for (const r of l.shown) {
      const [a, b] = l.start.get(r)!
      for (let i = a; i < b; i++) {
        if (Number.isFinite(value[i])) some.push(value[i])
        if (step[i] < low) low = step[i]
        if (step[i] > high) high = step[i]
      }
    }
    some.sort((a, b) => a - b)
    // A few wild values must not flatten all others.
    const q = (p: number) => some[Math.round(p * (some.length - 1))] ?? 0
    const log = !!meta?.log && q(0) > 0
    const [bottom, top] = room([q(0.005), q(0.995)], log, 0.06)
    const xs = linear(low, high, frame.left, frame.right)
    const ys: Scale = (log ? logarithmic : linear)(bottom, top, frame.bottom, frame.top)
    // path calls back with the places of a row's line, at most about 300.
    const path = (r: number, to: (x: number, y: number) => void) => {
      const [a, b] = l.start.get(r)!
      const every = Math.max(Math.floor((b - a) / 300), 1)
      for (let i = a; i < b; i++)
        if (((i - a) % every === 0 || i === b - 1) && Number.isFinite(value[i]))
          to(xs(step[i]), Math.min(Math.max(ys(value[i]), frame.top), frame.bottom))
    }
    const front = onFront()
    const pruned = state?.meta.values?.indexOf('pruned') ?? -1
    const stopped = (r: number) => state?.x[r] === pruned
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      const base = Math.min(Math.max(6 / Math.sqrt(l.shown.length), 0.2), 0.8)
      for (const [of, tint] of [
        [(r: number) => !stopped(r) && !front[r], '--point'],
        [stopped, '--cat-3'],
        [(r: number) => front[r] === 1, '--front'],
      ] as const) {
        g.strokeStyle = g.fillStyle = colour(tint)
        g.lineWidth = tint === '--front' ? 1.5 : 1
        for (const r of l.shown) {
          if (!of(r)) continue
          g.globalAlpha = m.all || m.bits[r] ? (tint === '--front' ? 0.9 : base) : 0.06
          g.beginPath()
          let end: [number, number] = [0, 0]
          path(r, (x, y) => {
            g.lineTo(x, y)
            end = [x, y]
          })
          g.stroke()
          if (tint === '--cat-3') g.fillRect(end[0] - 1.5, end[1] - 1.5, 3, 3)
        }
      }
      g.globalAlpha = 1
    }
    const find = (x: number, y: number, reach: number) => {
      let best = reach
      let at = -1
      for (const r of l.shown) {
        path(r, (px, py) => {
          const d = Math.hypot(px - x, py - y)
          if (d < best) {
            best = d
            at = r
          }
        })
      }
      return at
    }
    const d = (r: number) => {
      const out: string[] = []
      if (l.start.has(r)) path(r, (x, y) => out.push(`${x.toFixed(1)} ${y.toFixed(1)}`))
      return out.length ? 'M' + out.join('L') : undefined
    }
    return { frame, xs, ys, draw, find, d }
  }, [l, value, state, width])
  return (
    <>
      <Plot
        frame={model.frame}
        x={model.xs}
        y={model.ys}
        xTitle="step"
        yTitle={name + unit}
        label={`${name} after every step of ${plural(l.shown.length, 'trial')}`}
        draw={model.draw}
        find={model.find}
        tip={[record('state'), ...store.view.goal.objectives.map((o) => o.column)]}
      >
        <Lit d={model.d} />
      </Plot>
      <p class="note">
        {l.shown.length < l.start.size
          ? `${number(l.shown.length)} of ${plural(l.start.size, 'trial')}: all of the front and an even sample of the others. `
          : ''}
        {store.view.curves!.note}
      </p>
    </>
  )
}

// Lit draws the lines of the picked rows and the one under the pointer again.
function Lit(p: { d: (row: number) => string | undefined }) {
  return (
    <g class="lit">
      {[...picks.value, hover.value].map((r, k, all) => {
        const d = r >= 0 ? p.d(r) : undefined
        return d && <path key={k} class={k < all.length - 1 ? 'picked' : undefined} d={d} />
      })}
    </g>
  )
}

function Loading({ k, name, width }: { k: number; name: string; width: number }) {
  const row = useBlock('curves.row', 'u32')
  const step = useBlock('curves.step', 'f64')
  const value = useBlock(`curves.value.${k}`, 'f64')
  return row && step && value ? <Drawn row={row} step={step} value={value} name={name} width={width} /> : null
}

export function Curves() {
  const c = store.view.curves
  const k = Math.max(c?.metrics.indexOf(choices.value['curves'] ?? '') ?? 0, 0)
  return (
    <Figure
      id="curves"
      wide={!c}
      title="How trials developed"
      missing="curves"
      absent={c?.points ? '' : 'No trial reported results on the way.'}
      tools={
        c &&
        c.metrics.length > 1 && (
          <Choice label="metric" value={c.metrics[k]} options={c.metrics.map((m) => ({ value: m, text: m }))} on={(v) => choose('curves', v)} />
        )
      }
    >
      <Swatches
        items={[
          { name: 'on the front', colour: '--front' },
          { name: 'stopped early', colour: '--cat-3' },
          { name: 'others', colour: '--point' },
        ]}
      />
      <Lazy height={320}>{(width) => <Loading k={k} name={c!.metrics[k]} width={width} />}</Lazy>
    </Figure>
  )
}
