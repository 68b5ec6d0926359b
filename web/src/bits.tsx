// Small parts that several sections use.

import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { effect } from '@preact/signals'
import { hover, pick, store } from './state'
import { cut, exact, number, value } from './format'
import { painted } from './theme'

// copyText puts a text on the clipboard. Pages opened as files may have no
// clipboard of their own; the old way still works there.
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    area.className = 'hidden'
    document.body.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}

// Copy is a button that copies a text, and says that it did.
export function Copy(p: { text: () => string; children: ComponentChildren; class?: string; title?: string }) {
  const [said, say] = useState('')
  const timer = useRef(0)
  useEffect(() => () => clearTimeout(timer.current), [])
  const on = async () => {
    say((await copyText(p.text())) ? 'copied' : 'cannot copy')
    clearTimeout(timer.current)
    timer.current = window.setTimeout(() => say(''), 1500)
  }
  return (
    <button type="button" class={p.class} title={p.title} onClick={on}>
      <span aria-live="polite">{said || p.children}</span>
    </button>
  )
}

// quoted is a text as one word of a shell.
export function quoted(s: string): string {
  return /^[\w@%+=:,./-]+$/.test(s) ? s : `'${s.replaceAll("'", `'\\''`)}'`
}

// Command shows a command to type, and copies it.
export function Command(p: { text: string }) {
  return (
    <span class="command">
      <code>{cut(p.text, 400)}</code>
      <Copy text={() => p.text} class="plain screen" title="copy the command">
        copy
      </Copy>
    </span>
  )
}

// Prose shows a sentence in which commands stand in backquotes.
export function Prose(p: { text: string }) {
  return <>{p.text.split('`').map((s, i) => (i % 2 ? <Command key={i} text={s} /> : s))}</>
}

let drawn: { of: unknown; at: Map<number, number>; svgs?: string[] } | undefined

function svg(row: number): string | undefined {
  const d = store.view.drawings
  if (!d) return undefined
  if (drawn?.of !== store) drawn = { of: store, at: new Map(d.rows.map((r, k) => [r, k])) }
  const k = drawn.at.get(row)
  const b = k !== undefined && store.block('drawings')
  if (!b) return undefined
  drawn.svgs ??= JSON.parse(new TextDecoder().decode(b)) as string[]
  return drawn.svgs[k]
}

const themed = /\(prefers-color-scheme: ?dark\)/g

// drawing returns the picture of a row as an address for <img>, which runs no
// script that it may hold; undefined if there is none, or none yet. One that can
// be dark is dark as the page is, whatever the system says.
export function drawing(row: number): string | undefined {
  const text = svg(row)
  void painted.value
  const root = document.documentElement
  const dark = getComputedStyle(root).colorScheme === 'dark'
  return text && 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(text.replace(themed, dark ? 'all' : 'not all'))
}

export function Drawing(p: { row: number }) {
  const src = drawing(p.row)
  const paper = src && svg(p.row)!.search(themed) < 0
  return src ? <img class={paper ? 'drawing paper' : 'drawing'} src={src} alt={`drawing of trial ${trial(p.row)}`} /> : null
}

// trial is the number of a row's trial, for people.
export function trial(row: number): string {
  const c = store.column(0)
  return c ? number(c.x[row]) : '…'
}

// Value is what stands in a column at a row, rounded, with every digit on
// demand.
export function Value(p: { id: number; row: number; unit?: boolean }) {
  const c = store.column(p.id)
  if (!c) return <>{p.id < 0 ? '–' : '…'}</>
  const x = c.x[p.row]
  return (
    <span title={cut(exact(c.meta, x), 1000)}>
      {cut(value(c.meta, x), 200)}
      {p.unit && c.meta.unit && !Number.isNaN(x) && <small> {c.meta.unit}</small>}
    </span>
  )
}

// useHovered marks the element of the row under the pointer among those below
// box, without rendering them again. They name their rows: data-row.
export function useHovered(box: RefObject<HTMLElement | null>): void {
  useLayoutEffect(() =>
    effect(() => {
      const at = box.current?.querySelector(`[data-row="${hover.value}"]`)
      for (const e of box.current?.querySelectorAll('.hovered') ?? []) e.classList.remove('hovered')
      at?.classList.add('hovered')
    }),
  )
}

// rowEvents tie an element to a row: the pointer marks it in every plot, and a
// click shows it in full.
export function rowEvents(row: number) {
  return {
    onPointerEnter: () => (hover.value = row),
    onPointerLeave: () => (hover.value = -1),
    onClick: (e: MouseEvent) => pick(row, e.shiftKey),
  }
}

// limits are the columns of metrics that have one, without the objectives.
export function limitColumns(): number[] {
  const { objectives, limits } = store.view.goal
  return [...new Set(limits.map((l) => l.column))].filter((c) => c >= 0 && !objectives.some((o) => o.column === c))
}

// better is the sign of what is wanted of a metric.
export function better(of: { better?: string }): string {
  return of.better === 'low' ? '↓' : of.better === 'high' ? '↑' : ''
}
