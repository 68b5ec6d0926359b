// Colours of canvases come from the style sheet, so that there is one place for
// them; they change with the theme.

import { signal, effect } from '@preact/signals'

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

// rgb returns a colour of the style sheet as red, green and blue, 0 to 255. The
// style sheet writes colours as #rrggbb.
export function rgb(name: string): [number, number, number] {
  const c = colour(name)
  return [1, 3, 5].map((i) => parseInt(c.slice(i, i + 2), 16)) as [number, number, number]
}

// ramp gives the colour of a share from 0 to 1 on the sequential scale of the
// style sheet, --ramp-0 (worst) to --ramp-4 (best).
export function ramp(share: number): [number, number, number] {
  const t = Math.min(Math.max(share, 0), 1) * 4
  const k = Math.min(Math.floor(t), 3)
  const a = rgb(`--ramp-${k}`)
  const b = rgb(`--ramp-${k + 1}`)
  return a.map((v, i) => Math.round(v + (b[i] - v) * (t - k))) as [number, number, number]
}

export function css([r, g, b]: [number, number, number], alpha = 1): string {
  return alpha === 1 ? `rgb(${r} ${g} ${b})` : `rgb(${r} ${g} ${b} / ${alpha})`
}

// repaint takes the colours from the style sheet again.
export function repaint(): void {
  cache = new Map()
  painted.value = painted.peek() + 1 // peek: an effect that calls it must not follow it
}

// startTheme follows the choice and the system.
export function startTheme(): void {
  try {
    const kept = localStorage.getItem('daedalus-theme')
    if (kept === 'light' || kept === 'dark') theme.value = kept
  } catch {
    // Pages opened as files may have no storage; the choice then lasts as long as the page.
  }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', repaint)
  effect(() => {
    const root = document.documentElement
    if (theme.value === 'auto') delete root.dataset.theme
    else root.dataset.theme = theme.value
    try {
      if (theme.value === 'auto') localStorage.removeItem('daedalus-theme')
      else localStorage.setItem('daedalus-theme', theme.value)
    } catch {
      // as above
    }
    repaint()
  })
}
