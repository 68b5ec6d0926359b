// When every worker did what.

import { useMemo } from 'preact/hooks'
import { mask, store } from './state'
import { number, percent, plural, seconds, value } from './format'
import { Figure, Key, Lazy, stateColour } from './figure'
import { frame, ratio } from './cloud'
import { Plot } from './plot'
import { objectives, record } from './rows'
import { category, clamp, scale, ticks, type Scale } from './scale'
import { rgb } from './theme'
import type { Loaded } from './data'

const most = 48 // lanes
const packed = 12 // and where workers are not known

// clock is a scale of seconds in the unit that suits them.
function clock(high: number, from: number, to: number): [Scale, string] {
  const units: [number, string][] = [[86400, 'days'], [3600, 'h'], [60, 'min'], [1, 's'], [1e-3, 'ms'], [1e-6, 'µs']]
  const [size, unit] = units.find(([s]) => high >= 2 * s) ?? units[5]
  const s = scale(0, high, from, to)
  return [Object.assign(s, { ticks: (about: number) => ticks(0, high / size, about).map((x) => ({ x: x * size, text: number(x) })) }), unit]
}

interface Jobs {
  lane: Int32Array // -1 for rows without a time
  names: string[] // of the lanes
  from: ArrayLike<number>
  to: Float64Array
  end: number
  busy: number // seconds, over all rows
  count: number
  each: number // workers that share a lane; 0 if they are not known
}

function jobs(started: Loaded, finished: Loaded | undefined, worker: Loaded | undefined): Jobs {
  const from = started.x
  const to = Float64Array.from(from, (t, r) => (finished && finished.x[r] > t ? finished.x[r] : t))
  const lane = new Int32Array(from.length).fill(-1)
  const rows: number[] = []
  let [end, busy] = [0, 0]
  for (let r = 0; r < from.length; r++) {
    if (!(from[r] >= 0)) continue
    rows.push(r)
    end = Math.max(end, to[r])
    busy += to[r] - from[r]
  }
  const workers = worker ? [...new Set(rows.map((r) => worker.x[r]))].sort((a, b) => a - b) : []
  const place = new Map(workers.map((x, i) => [x, i]))
  const each = Math.ceil(workers.length / most)
  const names = workers.filter((_, i) => i % each === 0).map((x) => value(worker!.meta, x))
  // Without names a trial takes the first lane that is free, or else will be.
  const free: number[] = []
  for (const r of each ? rows : rows.sort((a, b) => from[a] - from[b])) {
    let k = each ? Math.floor(place.get(worker!.x[r])! / each) : free.findIndex((t) => t <= from[r])
    if (k < 0) k = free.length < packed ? free.length : free.indexOf(Math.min(...free))
    lane[r] = k
    free[k] = Math.max(free[k] ?? 0, to[r])
  }
  return { lane, names: each ? names : free.map(() => ''), from, to, end, busy, count: rows.length, each }
}

function Lanes({ job, state, width, cx }: { job: Jobs; state: Loaded | undefined; width: number; cx: number }) {
  const model = useMemo(() => {
    const { lane, names, from, to, end } = job
    const n = from.length
    const many = names.length
    const high = clamp(480 / many, 10, many > 1 ? 20 : 40)
    const f = frame(width, many * high + 50, Math.min(Math.max(...names.map((l) => Math.min(l.length, 14) * 6.6), 24) + 14, width / 3), 42, 8)
    const [xs, unit] = clock(end, f.left, f.right)
    const even = category(names, f.top, f.bottom)
    const shown = even.ticks((many * high) / 11)
    const ys = Object.assign(even, { ticks: () => shown })
    const k = ratio()
    const wide = Math.max(Math.round((f.right - f.left) * k), 1)
    const states = state?.meta.values ?? ['complete']
    const channels = states.length + 1 // one for every state, and one for rows that are not selected
    const at = (t: number) => (t / end) * wide
    const gap = high > 6 ? 2 : 0
    // The colour of a pixel is the mean of the states of its trials, its strength
    // how much of the time the worker was busy. Few trials have gaps between.
    const apart = job.count < 4000 ? 0.7 * k : 0
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      const sum = new Float32Array(many * wide * channels)
      for (let r = 0; r < n; r++) {
        if (lane[r] < 0) continue
        const a = at(from[r])
        const b = Math.max(at(to[r]) - apart, a + (apart || 0.1))
        const c = m.all || m.bits[r] ? (state ? state.x[r] : 0) : channels - 1
        for (let x = Math.floor(a); x < b && x < wide; x++) sum[(lane[r] * wide + x) * channels + c] += Math.min(b, x + 1) - Math.max(a, x)
      }
      const paint = [...states.map(stateColour), '--line'].map(rgb)
      const image = new ImageData(wide, many)
      for (let p = 0; p < many * wide; p++) {
        let all = 0
        for (let c = 0; c < channels; c++) all += sum[p * channels + c]
        if (!all) continue
        for (let q = 0; q < 3; q++) image.data[4 * p + q] = paint.reduce((s, rgb, c) => s + rgb[q] * sum[p * channels + c], 0) / all
        image.data[4 * p + 3] = 255 * Math.min(all, 1)
      }
      const sheet = new OffscreenCanvas(wide, many)
      sheet.getContext('2d')!.putImageData(image, 0, 0)
      g.imageSmoothingEnabled = false
      for (let l = 0; l < many; l++) g.drawImage(sheet, 0, l, wide, 1, f.left, f.top + l * high + gap / 2, f.right - f.left, high - gap)
    }
    const find = (x: number, y: number) => {
      const l = Math.floor((y - f.top) / high)
      let best = 3
      let row = -1
      for (let r = 0; r < n && best > 0; r++) {
        const d = lane[r] === l ? Math.max(xs(from[r]) - x, x - xs(to[r])) : Infinity
        if (d < best) {
          best = d
          row = r
        }
      }
      return row
    }
    const mark = (row: number, name: string) =>
      lane[row] >= 0 && (
        <rect class={name} x={xs(from[row]) - 1} y={f.top + lane[row] * high} width={Math.max(xs(to[row]) - xs(from[row]), 1) + 2} height={high} />
      )
    return { f, xs, ys, unit, draw, find, mark }
  }, [job, state, width])
  return (
    <Plot
      frame={model.f}
      x={model.xs}
      y={model.ys}
      xTitle={`time since the start (${model.unit})`}
      label={`what ran when on ${plural(job.names.length, 'lane')}`}
      draw={model.draw}
      find={model.find}
      mark={model.mark}
      cx={cx}
      tip={[record('state'), record('seconds'), record('operator'), ...objectives()]}
    />
  )
}

export function Timeline() {
  const ids = ['started', 'finished', 'worker', 'state'].map(record)
  const loaded = store.all(ids.filter((id) => id >= 0))
  const [started, finished, worker, state] = ids.map((id) => loaded?.find((c) => c.id === id))
  const job = useMemo(() => started && jobs(started, finished, worker), [started])
  const { end = 0, count = 0, each = 0, busy = 0, names = [] } = job ?? {}
  return (
    <Figure
      id="timeline"
      wide
      title="What ran when"
      absent={
        ids[0] < 0 || (job && !count)
          ? 'No trial has a time.'
          : job && !end && `All ${plural(count, 'trial')} ran at once, too fast to be told apart.`
      }
      note={
        `${plural(count, 'trial')} in ${seconds(end)}, ${number(Number((count / end).toPrecision(3)))} a second` +
        (each ? `; the workers were busy ${percent(Math.min(busy / (end * names.length * each), 1))} of the time` : '') +
        (each > 1 ? `; a lane is ${each} workers` : '') +
        '. Drag to select a time.'
      }
    >
      <Key
        items={Object.entries(store.view.trials.states)
          .sort((a, b) => b[1] - a[1])
          .map(([name, n]) => [stateColour(name), `${name} ${number(n)}`])}
      />
      <Lazy height={160}>{(width) => job && <Lanes job={job} state={state} width={width} cx={ids[0]} />}</Lazy>
    </Figure>
  )
}
