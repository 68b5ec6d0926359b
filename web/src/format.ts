// Numbers and values as people read them. The exact value belongs into a title.

import type { Column } from './data'

// number rounds to four significant digits.
export function number(x: number): string {
  if (Number.isNaN(x)) return '–'
  if (!Number.isFinite(x)) return x > 0 ? '∞' : '−∞'
  const a = Math.abs(x)
  if (a !== 0 && (a < 1e-4 || a >= 1e9)) return x.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e').replaceAll('-', '−')
  if (Number.isInteger(x)) return group(x.toFixed(0))
  const decimals = Math.max(0, 3 - Math.floor(Math.log10(a)))
  return group(x.toFixed(Math.min(decimals, 8)).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, ''))
}

function group(s: string): string {
  const [whole, rest] = s.split('.')
  const sign = whole.startsWith('-') ? '−' : ''
  const digits = whole.replace('-', '')
  const out = digits.length < 5 ? digits : digits.replace(/\B(?=(\d{3})+$)/g, ',')
  return sign + out + (rest ? '.' + rest : '')
}

export function percent(share: number): string {
  const p = 100 * share
  if (Number.isNaN(p)) return '–'
  if (p > 0 && p < 0.1) return '< 0.1 %'
  if (p > 99.9 && p < 100) return '> 99.9 %'
  return (p >= 10 || Number.isInteger(p) ? p.toFixed(0) : p.toFixed(1)) + ' %'
}

export function seconds(s: number): string {
  if (!Number.isFinite(s)) return '–'
  if (s < 1e-3) return number(s * 1e6) + ' µs'
  if (s < 1) return number(s * 1e3) + ' ms'
  if (s < 120) return number(s) + ' s'
  if (s < 7200) return number(s / 60) + ' min'
  if (s < 172800) return number(s / 3600) + ' h'
  return number(s / 86400) + ' d'
}

export function plural(n: number, noun: string): string {
  return `${number(n)} ${noun}${n === 1 ? '' : 's'}`
}

// moment is a time as the reader's place writes it.
export function moment(at: string): string {
  return new Date(at).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' })
}

// value is what stands in a column at a number of its x, for people.
export function value(c: Column, x: number): string {
  if (Number.isNaN(x)) return '–'
  if (c.kind !== 'number') return String(c.values?.[x] ?? '–')
  return number(x)
}

// exact is value with its unit and every digit that was kept.
export function exact(c: Column, x: number): string {
  if (c.kind !== 'number' || Number.isNaN(x)) return value(c, x)
  return (c.rounded ? '≈ ' + Number(x.toPrecision(7)) : x) + (c.unit && ' ' + c.unit)
}

// title is a column's name with its unit.
export function title(c: { name: string; unit?: string }): string {
  return c.unit ? `${c.name} (${c.unit})` : c.name
}

// cut shortens a text that would not fit.
export function cut(s: string, most: number): string {
  return s.length <= most ? s : s.slice(0, most - 1) + '…'
}
