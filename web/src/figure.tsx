// The frame of every figure: a card with a title, a note and tools; and the parts
// that stand in it.

import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { effect, signal } from '@preact/signals'
import { Prose } from './bits'
import { ratio } from './cloud'
import { decode, type Column, type State } from './data'
import { cut, plural, title } from './format'
import { choices, choose, store } from './state'

// Figure is a card. Where the view says why the part named id is missing, or with
// a text in absent, it says so instead of drawing.
export function Figure(p: {
  id: string
  title: string
  note?: ComponentChildren
  tools?: ComponentChildren
  absent?: string | false // why there is nothing to draw, if the view does not say
  wide?: boolean
  children?: ComponentChildren
}) {
  const why = store.view.missing[p.id] || p.absent
  return (
    <section class={p.wide ? 'figure wide' : 'figure'} id={p.id} aria-label={p.title}>
      <header>
        <h3>{p.title}</h3>
        {!why && p.tools && <div class="tools">{p.tools}</div>}
      </header>
      {why ? (
        <p class="absent">
          <Prose text={why} />
        </p>
      ) : (
        <>
          {p.children}
          {p.note && <div class="note">{p.note}</div>}
        </>
      )}
    </section>
  )
}

const media = matchMedia('(max-width: 640px)')

// narrow says whether the screen is a phone's.
export const narrow = signal(media.matches)
media.addEventListener('change', () => (narrow.value = media.matches))

// useVisible says whether an element is near the screen: what is not need not be
// drawn. On paper everything is.
export function useVisible<T extends HTMLElement>(ref: RefObject<T | null>): boolean {
  const [visible, setVisible] = useState(false)
  useEffect(() => {
    const o = new IntersectionObserver((es) => setVisible(es[es.length - 1].isIntersecting), { rootMargin: '300px' })
    o.observe(ref.current!)
    const all = () => setVisible(true)
    addEventListener('paper', all)
    return () => {
      o.disconnect()
      removeEventListener('paper', all)
    }
  }, [])
  return visible
}

let turn = 0 // of the plots that wait for time, one after the other

// Lazy shows what fits its width once it is near the screen, or when there is
// time. Far away it keeps its width, so that a page that gets narrower is not
// drawn anew as a whole.
export function Lazy(p: { height: number; children: (width: number) => ComponentChildren }) {
  const ref = useRef<HTMLDivElement>(null)
  const near = useVisible(ref)
  const [width, setWidth] = useState(0)
  const [time, setTime] = useState(false)
  const drawn = useRef(0)
  useLayoutEffect(() => {
    const measure = () => setWidth(Math.floor(ref.current!.clientWidth))
    measure()
    const o = new ResizeObserver(measure)
    o.observe(ref.current!)
    addEventListener('paper', measure)
    return () => {
      o.disconnect()
      removeEventListener('paper', measure)
    }
  }, [])
  useEffect(() => {
    const t = setTimeout(setTime, 2000 + 120 * turn++, true)
    return () => clearTimeout(t)
  }, [])
  if (near || (time && !drawn.current)) drawn.current = width
  const shown = drawn.current > 0 && p.children(drawn.current)
  return (
    <div ref={ref} class={drawn.current === width ? undefined : 'stale'} style={shown ? undefined : { minHeight: p.height + 'px' }}>
      {shown}
    </div>
  )
}

export type Draw = (g: CanvasRenderingContext2D) => void

// Canvas calls draw, at most once a frame, whenever a signal that draw reads
// changes, while it is near the screen.
export function Canvas(p: { width: number; height: number; draw: Draw; label: string }) {
  const ref = useRef<HTMLCanvasElement>(null)
  const visible = useVisible(ref)
  useEffect(() => {
    if (!visible || p.width <= 0 || p.height <= 0) return
    const canvas = ref.current!
    const scale = ratio()
    canvas.width = Math.round(p.width * scale)
    canvas.height = Math.round(p.height * scale)
    const g = canvas.getContext('2d')!
    let frame = 0
    let stop = () => {}
    const paint = () => {
      frame = 0
      stop()
      let first = true
      stop = effect(() => {
        if (first) {
          g.setTransform(scale, 0, 0, scale, 0, 0)
          g.clearRect(0, 0, p.width, p.height)
          p.draw(g)
          first = false
        } else {
          // A signal has changed: this run only had to notice.
          frame ||= requestAnimationFrame(paint)
        }
      })
    }
    paint()
    addEventListener('paper', paint) // print what is there now
    return () => {
      removeEventListener('paper', paint)
      cancelAnimationFrame(frame)
      stop()
    }
  }, [visible, p.width, p.height, p.draw])
  return <canvas ref={ref} style={{ width: p.width + 'px', height: p.height + 'px' }} role="img" aria-label={p.label} />
}

// Choice is a labelled list to choose from.
export function Choice(p: { label: string; value: string | number; options: [value: string | number, text: string][]; on: (value: string) => void }) {
  return (
    <label class="choice">
      {p.label}
      <select value={p.value} onChange={(e) => p.on(e.currentTarget.value)}>
        {p.options.map(([value, text]) => (
          <option key={value} value={value}>
            {cut(text, 60)}
          </option>
        ))}
      </select>
    </label>
  )
}

// ColumnChoice chooses a column of the given ones, or none if that has a name.
// The choice is kept as of.
export function ColumnChoice(p: { label: string; of: string; id: number; ids: number[]; none?: string }) {
  const { columns } = store.view
  return (
    <Choice
      label={p.label}
      value={p.id}
      options={[...(p.none ? [[-1, p.none] as [number, string]] : []), ...p.ids.map((id): [number, string] => [id, title(columns[id])])]}
      on={(v) => choose(p.of, columns[Number(v)]?.name)}
    />
  )
}

// columnsOf reads a list of columns from a choice.
export function columnsOf(key: string, otherwise: number[], allowed: number[]): number[] {
  const ids = choices.value[key]?.split('\t').map((n) => store.id(n)).filter((id) => allowed.includes(id))
  return ids?.length ? [...new Set(ids)] : otherwise
}

export function chooseColumns(key: string, ids: number[]): void {
  choose(key, ids.map((id) => store.view.columns[id].name).join('\t'))
}

// AxisList adds columns to a list and takes them away.
export function AxisList(p: { of: string; ids: number[]; allowed: number[]; most: number }) {
  const { ids } = p
  return (
    <Choice
      label="axes"
      value=""
      options={[
        ['', `${ids.length} of ${p.allowed.length}`],
        ...p.allowed.map((id): [number, string] => [id, (ids.includes(id) ? '✓ ' : '\u2003 ') + store.view.columns[id].name]),
      ]}
      on={(v) => {
        const id = Number(v)
        const next = ids.includes(id) ? ids.filter((i) => i !== id) : [...ids, id]
        if (v && next.length > 1 && next.length <= p.most) chooseColumns(p.of, next)
      }}
    />
  )
}

// States are shown in the same colours everywhere.
const stateColours: Record<State, string> = {
  complete: '--accent',
  pruned: '--cat-3',
  infeasible: '--faint',
  failed: '--bad',
  cached: '--good',
  running: '--pick',
  waiting: '--line',
}

export const stateColour = (state: unknown) => stateColours[state as State] ?? '--faint'

// Key names colours.
export function Key(p: { items: (readonly [colour: string, text: string, shape?: string] | false)[] }) {
  return (
    <div class="key">
      {p.items.map(
        (item) =>
          item && (
            <span>
              <i class={item[2]} style={{ background: `var(${item[0]})` }} />
              {item[1]}
            </span>
          ),
      )}
    </div>
  )
}

// Bar is a cell with a share as a bar, at full length if it is most, and a text
// beside it.
export function Bar(p: { share: number; most?: number; colour?: string; text?: string; title?: string; children?: ComponentChildren }) {
  return (
    <td class="bar" title={p.title}>
      <i
        style={{
          width: `calc(${Math.min(p.share / (p.most || 1), 1) || 0} * (100% - ${p.text === undefined ? 0 : 58}px))`,
          background: `var(${p.colour ?? '--accent'})`,
        }}
      />
      <small>{p.text}</small>
      {p.children}
    </td>
  )
}

// Head is the first line of a table.
export function Head(p: { titles: (string | undefined)[] }) {
  return (
    <thead>
      <tr>{p.titles.map((t) => t !== undefined && <th scope="col">{t}</th>)}</tr>
    </thead>
  )
}

// useFew gives the members that a list shows at first, and a button for all.
export function useFew<T>(all: T[], few: number, noun: string): [T[], ComponentChildren] {
  const [whole, setWhole] = useState(false)
  const most = whole ? 1000 : few
  return [
    all.slice(0, most),
    all.length > few && (
      <button class="plain tools" aria-expanded={whole} onClick={() => setWhole(!whole)}>
        {whole ? 'Fewer' : `All ${plural(all.length, noun)}`}
      </button>
    ),
  ]
}

// useBlock decodes a block once.
const decoded = new Map<string, ArrayLike<number>>()

export function block(name: string, encoding: Column['encoding']): ArrayLike<number> | undefined {
  const b = store.block(name)
  if (b && !decoded.has(name)) decoded.set(name, decode(b, encoding))
  return decoded.get(name)
}
