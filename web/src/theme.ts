// Colours of canvases come from the style sheet, so that there is one place for
// them; they change with the theme.

import { signal, effect } from '@preact/signals'
import { clamp } from './scale'

// theme is auto, light or dark.
export const theme = signal<'auto' | 'light' | 'dark'>('auto')

// painted rises when the colours change; canvases that read it are drawn again.
export const painted = signal(0)

let cache = new Map<string, string>()

// colour returns a custom property of the style sheet, such as --accent.
export function colour(name: string): string {
  void painted.value
  let c = cache.get(name)
  if (c === undefined) {
    c = getComputedStyle(document.documentElement).getPropertyValue(name).trim()
    cache.set(name, c)
  }
  return c
}

export type RGB = [number, number, number]

// pack is a colour as the pixels of an image hold it, on every machine of today.
export const pack = ([r, g, b]: RGB, a = 255) => ((a << 24) | (b << 16) | (g << 8) | r) >>> 0

// bright says whether dark text reads better on a colour.
export const bright = ([r, g, b]: RGB) => r * 0.3 + g * 0.59 + b * 0.11 > 140

// rgb returns a colour of the style sheet as red, green and blue, 0 to 255. The
// style sheet writes colours as #rrggbb.
export function rgb(name: string): RGB {
  const c = colour(name)
  return [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16)) as RGB
}

// ramp gives the colour of a share from 0 to 1 on the sequential scale of the
// style sheet, --ramp-0 (worst) to --ramp-4 (best).
export function ramp(share: number): RGB {
  const t = clamp(share, 0, 1) * 4
  const k = Math.min(Math.floor(t), 3)
  const b = rgb(`--ramp-${k + 1}`)
  return rgb(`--ramp-${k}`).map((v, i) => Math.round(v + (b[i] - v) * (t - k))) as RGB
}

export const css = (c: RGB, alpha = 1) => `rgb(${c.join(' ')} / ${alpha})`

// repaint takes the colours from the style sheet again.
export function repaint(): void {
  cache = new Map()
  painted.value = painted.peek() + 1 // peek: an effect that calls it must not follow it
}

// kept remembers the choice. Pages opened as files may have no storage; it then
// lasts as long as the page.
function kept(write?: string): string | null {
  try {
    if (write) localStorage.setItem('daedalus-theme', write)
    return localStorage.getItem('daedalus-theme')
  } catch {
    return null
  }
}

// startTheme follows the choice and the system.
export function startTheme(): void {
  const was = kept()
  if (was === 'light' || was === 'dark') theme.value = was
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint)
  effect(() => {
    kept(theme.value)
    document.documentElement.dataset.theme = theme.value
    repaint()
  })
}
