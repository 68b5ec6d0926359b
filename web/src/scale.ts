// Scales place the numbers of a column on pixels, with ticks that people read.

import type { Column, Loaded } from './data'
import { number, cut } from './format'

export interface Scale {
  (x: number): number // pixel of a number; NaN has none
  invert(pixel: number): number
  low: number // the numbers at its ends
  high: number
  log: boolean
  ticks(about: number): { x: number; text: string }[]
}

export function linear(low: number, high: number, from: number, to: number): Scale {
  const k = high > low ? (to - from) / (high - low) : 0
  const at = (x: number) => (k === 0 ? (from + to) / 2 : from + (x - low) * k)
  return Object.assign(at, {
    low,
    high,
    log: false,
    invert: (p: number) => (k === 0 ? low : low + (p - from) / k),
    ticks: (about: number) => ticks(low, high, about).map((x) => ({ x, text: number(x) })),
  })
}

export function logarithmic(low: number, high: number, from: number, to: number): Scale {
  const a = Math.log(low)
  const k = high > low ? (to - from) / (Math.log(high) - a) : 0
  const at = (x: number) => (k === 0 ? (from + to) / 2 : from + (Math.log(x) - a) * k)
  return Object.assign(at, {
    low,
    high,
    log: true,
    invert: (p: number) => (k === 0 ? low : Math.exp(a + (p - from) / k)),
    ticks: (about: number) => logTicks(low, high, about).map((x) => ({ x, text: number(x) })),
  })
}

// category places index k of n values in the middle of its part.
export function category(values: (string | number)[], from: number, to: number): Scale {
  const s = linear(-0.5, values.length - 0.5, from, to)
  return Object.assign((x: number) => s(x), s, {
    ticks: (about: number) => {
      const every = Math.max(1, Math.ceil(values.length / Math.max(about, 2)))
      return values.flatMap((v, x) => (x % every === 0 ? [{ x, text: cut(String(v), 14) }] : []))
    },
  })
}

// of makes the scale of a column between two pixels. Without a range it takes
// that of all finite numbers, with a little room at the ends.
export function of(c: Loaded, from: number, to: number, range?: [number, number]): Scale {
  const m = c.meta
  if (m.kind !== 'number') return category(m.values ?? [], from, to)
  let [low, high] = range ?? extent(m)
  if (low === high) {
    const room = low === 0 ? 1 : Math.abs(low) * 0.05
    low -= room
    high += room
  } else if (!range) {
    const room = 0.03
    if (m.log && low > 0) {
      const f = (high / low) ** room
      low /= f
      high *= f
    } else {
      const d = (high - low) * room
      low -= d
      high += d
    }
  }
  const s = m.log && low > 0 ? logarithmic(low, high, from, to) : linear(low, high, from, to)
  return m.whole ? Object.assign(s, { ticks: whole(s) }) : s
}

// whole returns the ticks of a scale that are whole numbers.
export function whole(s: Scale): Scale['ticks'] {
  const all = s.ticks
  return (about) => all(about).filter((t) => Number.isInteger(t.x))
}

// extent is the range of a column's finite numbers.
export function extent(m: Column): [number, number] {
  if (m.kind !== 'number') return [0, (m.values?.length ?? 1) - 1]
  return [m.min ?? m.low ?? 0, m.max ?? m.high ?? 1]
}

// ticks are round numbers within [low, high].
export function ticks(low: number, high: number, about: number): number[] {
  // Nothing lies between numbers too near, and no step is right for a boundless range.
  if (!(high - low > Math.abs(high) * 1e-14) || high - low === Infinity) return [low]
  const raw = (high - low) / Math.max(about, 1)
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw * 0.75)!
  const out: number[] = []
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) {
    out.push(Number((k * step).toPrecision(12)))
  }
  return out
}

function logTicks(low: number, high: number, about: number): number[] {
  const decades = Math.log10(high / low)
  if (!(decades < 700)) return [low]
  if (decades < 1) return ticks(low, high, about).filter((x) => x > 0)
  const out: number[] = []
  const every = Math.max(1, Math.ceil(decades / about))
  const between = decades * 3 <= about ? [1, 2, 5] : [1]
  for (let e = Math.floor(Math.log10(low)); e <= Math.ceil(Math.log10(high)); e++) {
    if (e % every !== 0) continue
    for (const f of between) {
      const x = Number((f * 10 ** e).toPrecision(12))
      if (x >= low * (1 - 1e-9) && x <= high * (1 + 1e-9)) out.push(x)
    }
  }
  return out
}
