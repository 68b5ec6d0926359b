// Colours for the values of a column, and the key to them.

import type { Loaded } from './data'
import { cut, number, title, value } from './format'
import { pack } from './points'
import { quantile } from './rows'
import { css, ramp, rgb } from './theme'

export const palette = 8 // colours --cat-0 to --cat-7

// A Colouring gives values colours.
export interface Colouring {
  column: Loaded
  low: number // the numbers at the ends of the ramp
  high: number
  log: boolean
  flip: boolean // low is best
}

// colouring spreads the ramp over the quantiles 1 to 99 % of a column, or over a
// given range.
export function colouring(column: Loaded, range?: [number, number]): Colouring {
  const low = range ? range[0] : quantile(column, 0.01)
  const high = range ? range[1] : quantile(column, 0.99)
  return { column, low, high, log: !!column.meta.log && low > 0, flip: column.meta.better === 'low' }
}

// share is where a value lies on the ramp.
export function share(c: Colouring, x: number): number {
  const t = c.high > c.low ? (c.log ? Math.log(x / c.low) / Math.log(c.high / c.low) : (x - c.low) / (c.high - c.low)) : 1
  return c.flip && c.high > c.low ? 1 - t : t
}

// css of a value.
export function shade(c: Colouring, x: number): string {
  return css(ramp(share(c, x)))
}

// tints gives every row its colour, packed. It reads the theme.
export function tints(c: Colouring): Uint32Array {
  const { x, meta } = c.column
  const none = pack(rgb('--faint'))
  const out = new Uint32Array(x.length).fill(none)
  if (meta.kind === 'number') {
    const table = Uint32Array.from({ length: 256 }, (_, k) => pack(ramp(k / 255)))
    for (let r = 0; r < x.length; r++) {
      if (x[r] === x[r]) out[r] = table[Math.round(255 * Math.min(Math.max(share(c, x[r]), 0), 1))]
    }
  } else {
    const table = meta.values!.map((_, k) => (k < palette ? pack(rgb(`--cat-${k}`)) : none))
    for (let r = 0; r < x.length; r++) if (x[r] === x[r]) out[r] = table[x[r]]
  }
  return out
}

// Key explains a colouring.
export function Key(p: { of: Colouring; text?: string }) {
  const { column, low, high, flip } = p.of
  const m = column.meta
  return (
    <span class="key">
      <span>{p.text ?? title(m)}</span>
      {m.kind === 'number' ? (
        <>
          <span>{number(low)}</span>
          <span class={flip ? 'ramp flip' : 'ramp'} />
          <span>{number(high)}</span>
        </>
      ) : (
        m.values!.slice(0, palette).map((_, k) => (
          <span key={k}>
            <span class="swatch" style={{ background: `var(--cat-${k})` }} />
            {cut(value(m, k), 20)}
          </span>
        ))
      )}
    </span>
  )
}
