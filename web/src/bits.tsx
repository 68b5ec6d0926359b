// Small parts that several sections use.

import type { ComponentChildren, RefObject } from 'preact'
import { useLayoutEffect, useState } from 'preact/hooks'
import { effect } from '@preact/signals'
import { hover, mask, pick, picks, store } from './state'
import { cut, exact, number, value } from './format'
import { frontPlace, has, limited, objectives, roles, short } from './rows'
import { painted } from './theme'

// copyText puts a text on the clipboard. Pages opened as files may have no
// clipboard of their own; the old way still works there.
async function copyText(text: string): Promise<boolean> {
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
  const on = async () => {
    say((await copyText(p.text())) ? 'copied' : 'cannot copy')
    setTimeout(say, 1500, '')
  }
  return (
    <button class={p.class} title={p.title} onClick={on} aria-live="polite">
      {said || p.children}
    </button>
  )
}

export function CopyAddress(p: { class?: string }) {
  return (
    <Copy class={p.class} text={() => location.href} title="the address of this page with all that is picked, selected and chosen">
      copy address
    </Copy>
  )
}

// Command shows a command to type, and copies it.
export function Command(p: { text: string }) {
  return (
    <span class="command">
      <code>{cut(p.text, 400)}</code>
      <Copy text={() => p.text} class="plain screen">
        copy
      </Copy>
    </span>
  )
}

// Prose shows a sentence in which commands stand in backquotes.
export function Prose(p: { text: string }) {
  return <>{p.text.split('`').map((s, i) => (i % 2 ? <Command text={s} /> : s))}</>
}

let svgs: Map<number, string> | undefined // by row

function svg(row: number): string | undefined {
  const { drawings } = store.view
  const b = drawings?.rows.length && store.block('drawings')
  if (b && !svgs) {
    const all = JSON.parse(new TextDecoder().decode(b)) as string[]
    svgs = new Map(drawings.rows.map((r, k) => [r, all[k]]))
  }
  return svgs?.get(row)
}

// Drawing is the picture of a row if there is one: an <img>, which runs no script
// that it may hold. One that can be dark is dark as the page is, whatever the
// system says; others get paper of their own.
export function Drawing(p: { row: number }) {
  const text = svg(p.row)
  if (!text) return null
  void painted.value
  const dark = getComputedStyle(document.documentElement).colorScheme === 'dark'
  const themed = text.replace(/\(prefers-color-scheme: ?dark\)/g, dark ? 'all' : 'not all')
  return (
    <img
      class={themed === text ? 'drawing paper' : 'drawing'}
      src={'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(themed)}
      alt={`drawing of trial ${trial(p.row)}`}
    />
  )
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
      {p.unit && c.meta.unit && has(c, p.row) && <small> {c.meta.unit}</small>}
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
export const rowEvents = (row: number) => ({
  onPointerEnter: () => (hover.value = row),
  onPointerLeave: () => (hover.value = -1),
  onClick: (e: MouseEvent) => pick(row, e.shiftKey),
})

// better is the sign of what is wanted of a metric.
export const better = (of: { better?: string }) => (of.better === 'low' ? ' ↓' : of.better === 'high' ? ' ↑' : '')

function Fact(p: { name: string; title?: string; main?: boolean; children: ComponentChildren }) {
  return (
    <span class={p.main ? 'fact main' : 'fact'} title={p.title}>
      <small>{cut(p.name, 40)}</small>
      <span>{p.children}</span>
    </span>
  )
}

// Card is a design in short.
export function Card({ row, brief }: { row: number; brief?: boolean }) {
  const { columns, front } = store.view
  const m = mask.value
  const place = frontPlace(row)
  return (
    <button
      class={'card' + (hover.value === row ? ' lit' : '') + (m.all || m.bits[row] ? '' : ' out')}
      aria-pressed={picks.value.includes(row)}
      title={cut(short(row), 1000)}
      {...rowEvents(row)}
    >
      <span>
        <b>{brief ? trial(row) : roles(row)}</b> {brief ? <i>{roles(row)}</i> : <small>trial {trial(row)}</small>}
      </span>
      <small>{cut(short(row), 90)}</small>
      <Drawing row={row} />
      {(brief ? objectives() : [...objectives(), ...limited()]).map((id) => (
        <Fact name={columns[id].name + better(columns[id])} title={columns[id].doc} main={objectives().includes(id)}>
          <Value id={id} row={row} unit />
        </Fact>
      ))}
      {!brief &&
        place >= 0 &&
        front.verified?.map((v) => (
          <Fact name={`${v.metric}${better(v)} verified`} title={unseen}>
            {number(v.values[place] ?? NaN)} <small>{v.unit}</small>
          </Fact>
        ))}
    </button>
  )
}

export const unseen = 'measured afterwards; the search did not see it'
