// When every worker did what.

import { useMemo } from 'preact/hooks'
import { mask, store, type Mask } from './state'
import { number, percent, plural, seconds } from './format'
import { Figure } from './figure'
import { Lazy, Plot, record, stateColours, Swatches } from './kit'
import { cloud } from './points'
import { ratio, type Frame } from './scatter'
import { category, linear, ticks, type Scale } from './scale'
import { rgb } from './theme'
import type { Loaded, State } from './data'

const units: [number, string][] = [
  [86400, 'days'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
  [1e-3, 'ms'],
]

// clock is a scale of seconds in the unit that suits them.
function clock(high: number, from: number, to: number): [Scale, string] {
  const [size, unit] = units.find(([s]) => high >= 2 * s) ?? units[units.length - 1]
  const s = linear(0, high, from, to)
  return [Object.assign(s, { ticks: (about: number) => ticks(0, high / size, about).map((x) => ({ x: x * size, text: number(x) })) }), unit]
}

interface Job {
  lane: Int32Array // -1 for rows without a time
  lanes: string[]
  from: Float64Array
  to: Float64Array
  end: number
  busy: number // seconds, over all rows
  count: number
  each: number // workers that share a lane
}

const dense = 4000 // trials, from which on they are not drawn one by one

function jobs(started: Loaded, finished: Loaded | undefined, worker: Loaded | undefined): Job {
  const n = started.x.length
  const to = new Float64Array(n)
  let end = 0
  for (let r = 0; r < n; r++) {
    to[r] = finished && finished.x[r] >= started.x[r] ? finished.x[r] : started.x[r]
    if (to[r] > end) end = to[r]
  }
  const names = new Map<number, number>()
  for (let r = 0; worker && r < n; r++) if (!Number.isNaN(worker.x[r]) && started.x[r] >= 0 && !names.has(worker.x[r])) names.set(worker.x[r], 0)
  const order = [...names.keys()].sort((a, b) => a - b)
  order.forEach((x, i) => names.set(x, i))
  const each = Math.ceil(order.length / 48)
  const text = (x: number) => (worker!.meta.kind === 'number' ? number(x) : String(worker!.meta.values![x]))
  const lanes = order.filter((_, i) => i % each === 0).map(text)
  const lane = new Int32Array(n).fill(-1)
  let busy = 0
  const rows: number[] = []
  for (let r = 0; r < n; r++) {
    if (!(started.x[r] >= 0)) continue
    lane[r] = Math.floor((names.get(worker?.x[r] ?? NaN) ?? 0) / (each || 1))
    busy += to[r] - started.x[r]
    rows.push(r)
  }
  // Without names a trial takes the first lane that is free.
  if (!order.length && rows.length < dense) {
    const free: number[] = []
    for (const r of rows.sort((a, b) => started.x[a] - started.x[b])) {
      const k = free.findIndex((t) => t <= started.x[r])
      lane[r] = k < 0 ? free.length : k
      free[lane[r]] = to[r]
    }
    if (free.length <= 24) lanes.push(...free.map(() => ''))
  }
  return { lane, lanes, from: Float64Array.from(started.x), to, end, busy, count: rows.length, each }
}

function Lanes({ job, state, width, cx }: { job: Job; state: Loaded | undefined; width: number; cx: number }) {
  const rate = job.lanes.length === 0 || (job.lanes.length === 1 && job.count >= dense)
  const n = job.from.length
  const model = useMemo(() => {
    const many = Math.max(job.lanes.length, 1)
    const left = rate ? 52 : Math.min(Math.max(...job.lanes.map((l) => Math.min(l.length, 14) * 6.6), 24) + 14, width / 3)
    const inner = rate ? 150 : Math.min(Math.max(many * 20, 40), 480)
    const frame: Frame = { width, height: inner + (rate ? 68 : 50), left, top: rate ? 26 : 8, right: width - 12, bottom: inner + (rate ? 26 : 8) }
    const [xs, unit] = clock(job.end || 1, left, frame.right)
    const k = ratio()
    const wide = Math.max(Math.round((frame.right - left) * k), 1)
    const kinds = (state?.meta.values ?? ['complete']).map((v) => stateColours[v as State] ?? '--point')
    // What counts are drawn in: one channel for every state, and one for rows
    // that are not selected.
    const channels = kinds.length + 1
    const channel = (r: number, m: Mask) => (m.all || m.bits[r] ? (state ? state.x[r] : 0) : kinds.length)
    const at = (t: number) => (t / (job.end || 1)) * wide
    const bin = 4 * k
    const bins = Math.ceil((wide + 1) / bin)
    let top = 0
    if (rate) {
      const c = new Float64Array(bins)
      for (let r = 0; r < n; r++) if (job.lane[r] >= 0) top = Math.max(top, ++c[Math.floor(at(job.from[r]) / bin)])
    }
    const perBin = (job.end * bin) / wide // seconds
    const named = category(job.lanes.length ? job.lanes : [''], frame.top, frame.bottom)
    const names = named.ticks(inner / 11)
    const ys = rate ? linear(0, top / perBin, frame.bottom, frame.top) : Object.assign(named, { ticks: () => names })
    const high = inner / many
    const gap = high > 6 ? 2 : 0
    const colours = () => [...kinds.map((c) => rgb(c)), rgb('--line')]

    const drawRate = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      const sum = new Float64Array(bins * channels)
      for (let r = 0; r < n; r++) if (job.lane[r] >= 0) sum[Math.floor(at(job.from[r]) / bin) * channels + (channel(r, m) || 0)]++
      const paint = colours()
      for (let b = 0; b < bins; b++) {
        let y = frame.bottom
        for (let c = 0; c < channels; c++) {
          const h = (sum[b * channels + c] / top) * inner
          if (h <= 0) continue
          g.fillStyle = `rgb(${paint[c].join(' ')})`
          g.fillRect(left + (b * bin) / k, y - h, bin / k - 0.5, h)
          y -= h
        }
      }
    }
    // The colour of a pixel is the mean of the states of its trials, its strength
    // how much of the time the worker was busy. Few trials have gaps between.
    const apart = job.count < dense ? 0.7 * k : 0
    const drawLanes = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      const sum = new Float32Array(many * wide * channels)
      for (let r = 0; r < n; r++) {
        if (job.lane[r] < 0) continue
        const a = at(job.from[r])
        const b = Math.max(at(job.to[r]) - apart, a + (apart || 0.1))
        const c = channel(r, m) || 0
        for (let x = Math.floor(a); x < b && x < wide; x++) {
          sum[(job.lane[r] * wide + x) * channels + c] += Math.min(b, x + 1) - Math.max(a, x)
        }
      }
      const paint = colours()
      const image = new ImageData(wide, many)
      for (let p = 0; p < many * wide; p++) {
        let all = 0
        const mix = [0, 0, 0]
        for (let c = 0; c < channels; c++) {
          const v = sum[p * channels + c]
          if (!v) continue
          all += v
          for (let q = 0; q < 3; q++) mix[q] += v * paint[c][q]
        }
        if (all) for (let q = 0; q < 3; q++) image.data[4 * p + q] = mix[q] / all
        image.data[4 * p + 3] = 255 * Math.min(all, 1)
      }
      const sheet = new OffscreenCanvas(wide, many)
      sheet.getContext('2d')!.putImageData(image, 0, 0)
      g.imageSmoothingEnabled = false
      for (let l = 0; l < many; l++) g.drawImage(sheet, 0, l, wide, 1, left, frame.top + l * high + gap / 2, frame.right - left, high - gap)
    }
    const places = cloud(n, Math.round(width * k), Math.round(frame.height * k))
    if (!rate) {
      for (let r = 0; r < n; r++) {
        if (job.lane[r] < 0) continue
        places.x[r] = (xs((job.from[r] + job.to[r]) / 2) || 0) * k
        places.y[r] = (frame.top + (job.lane[r] + 0.5) * high) * k
      }
    }
    const find = (x: number, y: number) => {
      const lane = Math.floor((y - frame.top) / high)
      let best = 3
      let row = -1
      for (let r = 0; r < n; r++) {
        if (job.lane[r] !== lane) continue
        const d = Math.max(xs(job.from[r]) - x, x - xs(job.to[r]))
        if (d < best) {
          best = d
          row = r
          if (d <= 0) break
        }
      }
      return row
    }
    return { frame, xs, ys, unit, places, find: rate ? undefined : find, draw: rate ? drawRate : drawLanes }
  }, [job, state, width])
  return (
    <Plot
      frame={model.frame}
      x={model.xs}
      y={model.ys}
      xTitle={`time since the start (${model.unit})`}
      yTitle={rate ? 'trials started each second' : undefined}
      label={`what ran when on ${plural(job.lanes.length || 1, 'worker')}`}
      draw={model.draw}
      find={model.find}
      cloud={rate ? undefined : model.places}
      cx={cx}
      tip={[record('state'), record('seconds'), record('operator'), ...store.view.goal.objectives.map((o) => o.column)]}
    />
  )
}

export function Timeline() {
  const { states } = store.view.trials
  const [s, f, w, k] = ['started', 'finished', 'worker', 'state'].map(record)
  const loaded = [s, f, w, k].map((id) => store.column(id))
  const there = [s, f, w, k].every((id, i) => id < 0 || loaded[i])
  const [started, finished, worker, state] = loaded
  const job = useMemo(() => (there && started ? jobs(started, finished, worker) : undefined), [there])
  const span = job?.end ?? 0
  return (
    <Figure
      id="timeline"
      wide
      title="What ran when"
      missing="timeline"
      absent={s < 0 || job?.count === 0 ? 'No trial has a time.' : ''}
      note={
        job &&
        (span > 0
          ? `${plural(job.count, 'trial')} in ${seconds(span)}, ${number(Number((job.count / span).toPrecision(3)))} a second${
              job.each > 0 && job.busy > 0
                ? `; the workers were busy ${percent(Math.min(job.busy / (span * job.lanes.length * job.each), 1))} of the time`
                : ''
            }${job.each > 1 ? `. Every lane is ${job.each} workers` : ''}. Drag to select a time.`
          : `All ${number(job.count)} trials were evaluated at once, too fast to be told apart.`)
      }
    >
      <Swatches
        items={Object.entries(states)
          .sort((a, b) => b[1] - a[1])
          .map(([name, count]) => ({ name, count, colour: stateColours[name as State] ?? '--point' }))}
      />
      {!(job && span === 0) && <Lazy height={160}>{(width) => job && <Lanes job={job} state={state} width={width} cx={s} />}</Lazy>}
    </Figure>
  )
}
