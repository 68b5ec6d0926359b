// Scales place the numbers of a column on pixels, with ticks that people read.

import type { Column, Loaded } from './data'
import { number, cut } from './format'

export interface Scale {
  (x: number): number // pixel of a number; NaN has none
  invert(pixel: number): number
  low: number // the numbers at its ends
  high: number
  step?: number // pixels from one value to the next, where they stand at equal distances
  ticks(about: number): { x: number; text: string }[]
}

export type Range = [number, number]

export const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high)

// quantile of numbers that rise.
export const quantile = (xs: ArrayLike<number>, share: number) => xs[Math.round(share * (xs.length - 1))] ?? NaN

// upTo is the last index of numbers that rise whose number is at most x, or -1.
export function upTo(xs: ArrayLike<number>, x: number): number {
  let a = 0
  let b = xs.length
  while (a < b) {
    const m = (a + b) >> 1
    if (xs[m] <= x) a = m + 1
    else b = m
  }
  return a - 1
}

// What a scale is even in, and back: logarithms, or halves, since the difference
// of two numbers may be too large for one.
type Way = [to: (x: number) => number, back: (x: number) => number]
const way = (log: unknown): Way => (log ? [Math.log, Math.exp] : [(x) => x / 2, (x) => x * 2])

export function scale(low: number, high: number, from: number, to: number, log: unknown = false): Scale {
  const [f, back] = way(log)
  const a = f(low)
  const k = high > low ? (to - from) / (f(high) - a) : 0
  return Object.assign((x: number) => (k || x !== x ? from + (f(x) - a) * k : (from + to) / 2), {
    low,
    high,
    invert: (p: number) => (k ? back(a + (p - from) / k) : low),
    ticks: (about: number) => (log ? logTicks : ticks)(low, high, about).map((x) => ({ x, text: number(x) })),
  })
}

// category places index k of n values in the middle of its part.
export function category(values: (string | number)[], from: number, to: number): Scale {
  return Object.assign(scale(-0.5, values.length - 0.5, from, to), {
    ticks: (about: number) => {
      const every = Math.ceil(values.length / Math.max(about, 2))
      return values.flatMap((v, x) => (x % every ? [] : [{ x, text: cut(String(v), 14) }]))
    },
  })
}

// of makes the scale of a column between two pixels. Without a range it takes
// that of all finite numbers, with a little room at the ends.
export function of({ meta: m }: Loaded, from: number, to: number, range?: Range): Scale {
  if (m.kind !== 'number') return category(m.values ?? [], from, to)
  let [low, high] = range ?? room(extent(m), m.log, 0.03)
  if (low === high) {
    const more = Math.abs(low) * 0.05 || 1
    low -= more
    high += more
  }
  const s = scale(low, high, from, to, m.log && low > 0)
  return m.whole ? whole(s) : s
}

// whole is a scale whose ticks are whole numbers.
export function whole(s: Scale): Scale {
  const all = s.ticks
  return Object.assign(s, { ticks: (about: number) => all(about).filter((t) => Number.isInteger(t.x)) })
}

// extent is the range of a column's finite numbers.
export function extent(m: Column): Range {
  if (m.kind !== 'number') return [0, (m.values?.length ?? 1) - 1]
  return [m.min ?? m.low ?? 0, m.max ?? m.high ?? 1]
}

// room widens a range, so that no point lies on the frame.
export function room([low, high]: readonly [number, number], log: unknown, share: number): Range {
  const most = Number.MAX_VALUE
  const [f, back] = way(log && low > 0)
  const d = (f(high) - f(low)) * share
  return [clamp(back(f(low) - d), log && low > 0 ? Number.MIN_VALUE : -most, most), clamp(back(f(high) + d), -most, most)]
}

// ticks are round numbers within [low, high].
export function ticks(low: number, high: number, about: number): number[] {
  if (high - low === Infinity) return ticks(low / 4, high / 4, about).map((x) => x * 4)
  if (!(high - low > Math.abs(high) * 1e-14)) return [low] // nothing lies between numbers too near
  const raw = (high - low) / Math.max(about, 1)
  const power = 10 ** Math.floor(Math.log10(raw))
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= raw * 0.75)!
  const out: number[] = []
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) out.push(Number((k * step).toPrecision(12)))
  return out
}

function logTicks(low: number, high: number, about: number): number[] {
  const [a, b] = [Math.log10(low), Math.log10(high)]
  if (b - a < 1) return ticks(low, high, about).filter((x) => x > 0)
  const every = Math.max(1, Math.ceil((b - a) / about))
  const out: number[] = []
  for (let e = Math.floor(a); e <= b; e++) {
    for (const f of (b - a) * 3 <= about ? [1, 2, 5] : [1]) {
      const x = Number((f * 10 ** e).toPrecision(12))
      if (e % every === 0 && x >= low * (1 - 1e-9) && x <= high * (1 + 1e-9)) out.push(x)
    }
  }
  return out
}
