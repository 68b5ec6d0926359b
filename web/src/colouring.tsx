// Colours for the values of a column, and the key to them.

import type { Loaded } from './data'
import { Key } from './figure'
import { cut, number, title, value } from './format'
import { quantileOf } from './rows'
import { clamp, type Range } from './scale'
import { pack, ramp, rgb } from './theme'

export const palette = 8 // colours --cat-0 to --cat-7

// A Colouring gives values colours.
export interface Colouring {
  column: Loaded
  low: number // the numbers at the ends of the ramp
  high: number
  flip: boolean // low is best
}

// colouring spreads the ramp over the quantiles 1 to 99 % of a column, or over a
// given range.
export function colouring(column: Loaded, [low, high]: Range = [quantileOf(column, 0.01), quantileOf(column, 0.99)]): Colouring {
  return { column, low, high, flip: column.meta.better === 'low' }
}

// share is where a number lies on the ramp.
function share({ column, low, high, flip }: Colouring, x: number): number {
  const t = !(high > low) ? 1 : column.meta.log && low > 0 ? Math.log(x / low) / Math.log(high / low) : (x - low) / (high - low)
  return flip && high > low ? 1 - t : t
}

// tint is the colour of a number.
export const tint = (c: Colouring, x: number) => ramp(share(c, x))

// tints gives every row its colour, packed. It reads the theme.
export function tints(c: Colouring): Uint32Array {
  const { x, meta } = c.column
  const none = pack(rgb('--faint'))
  const numbers = meta.kind === 'number'
  const table = numbers
    ? Array.from({ length: 256 }, (_, k) => pack(ramp(k / 255)))
    : meta.values!.map((_, k) => (k < palette ? pack(rgb(`--cat-${k}`)) : none))
  return Uint32Array.from(x, (v) => (v !== v ? none : table[numbers ? Math.round(255 * clamp(share(c, v), 0, 1)) : v]))
}

// Ramp explains a colouring.
export function Ramp(p: { of: Colouring; text?: string }) {
  const { column, low, high, flip } = p.of
  const m = column.meta
  if (m.kind !== 'number') return <Key items={m.values!.slice(0, palette).map((_, k) => [`--cat-${k}`, cut(value(m, k), 20)])} />
  return (
    <div class="key">
      {p.text ?? title(m)} <span>{number(low)}</span>
      <b style={{ background: `linear-gradient(to ${flip ? 'left' : 'right'},${[0, 1, 2, 3, 4].map((k) => `var(--ramp-${k})`)})` }} />
      <span>{number(high)}</span>
    </div>
  )
}
