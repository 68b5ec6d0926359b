// The frame of every plot: a card with a title, a note and tools, and inside it
// a canvas for many marks under an SVG for few, with axes.

import type { ComponentChildren, RefObject } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { effect } from '@preact/signals'
import { Prose } from './bits'
import type { Scale } from './scale'
import { store } from './state'
import { title } from './format'
import type { Column } from './data'

// Figure is a card. With missing set to a part of the view that is absent it
// says why instead of drawing.
export function Figure(p: {
  id: string
  title: string
  note?: ComponentChildren
  tools?: ComponentChildren
  missing?: string
  absent?: string // why there is nothing to draw, if the view does not say
  wide?: boolean
  children?: ComponentChildren
}) {
  const why = (p.missing && store.view.missing[p.missing]) || p.absent || undefined
  return (
    <section class={p.wide ? 'figure wide' : 'figure'} id={p.id} aria-label={p.title}>
      <header>
        <h3>{p.title}</h3>
        {why === undefined && p.tools && <div class="tools">{p.tools}</div>}
      </header>
      {why === undefined ? (
        p.children
      ) : (
        <p class="absent">
          <Prose text={why} />
        </p>
      )}
      {why === undefined && p.note && <p class="note">{p.note}</p>}
    </section>
  )
}

// useWidth measures an element.
export function useWidth<T extends HTMLElement>(): [RefObject<T | null>, number] {
  const ref = useRef<T>(null)
  const [width, setWidth] = useState(0)
  useLayoutEffect(() => {
    const e = ref.current
    if (!e) return // a figure that says why it is absent
    const measure = () => setWidth(Math.floor(e.clientWidth))
    measure()
    const o = new ResizeObserver(measure)
    o.observe(e)
    addEventListener('paper', measure)
    return () => {
      o.disconnect()
      removeEventListener('paper', measure)
    }
  }, [])
  return [ref, width]
}

// useVisible says whether an element is near the screen: what is not need not be
// drawn.
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

// Canvas calls draw, at most once a frame, whenever a signal that draw reads
// changes, while it is near the screen.
export function Canvas(p: { width: number; height: number; draw: (g: CanvasRenderingContext2D, scale: number) => void; label: string }) {
  const ref = useRef<HTMLCanvasElement>(null)
  const visible = useVisible(ref)
  const draw = useRef(p.draw)
  draw.current = p.draw
  useEffect(() => {
    if (!visible || p.width <= 0 || p.height <= 0) return
    const canvas = ref.current!
    const scale = Math.min(devicePixelRatio || 1, 2)
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
          draw.current(g, scale)
          first = false
        } else if (!frame) {
          // A signal has changed: this run only had to notice.
          frame = requestAnimationFrame(paint)
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

// Axes draws the two axes of a plot whose scales are in pixels of the frame.
export function Axes(p: { x?: Scale; y?: Scale; left: number; top: number; right: number; bottom: number; xTitle?: string; yTitle?: string; grid?: boolean }) {
  const { left, top, right, bottom } = p
  return (
    <g class="axes">
      {p.y?.ticks(Math.max(2, Math.floor((bottom - top) / 48))).map(({ x, text }) => (
        <g key={x}>
          {p.grid !== false && <line class="grid" x1={left} x2={right} y1={p.y!(x)} y2={p.y!(x)} />}
          <text class="tick" x={left - 6} y={p.y!(x)} dy="0.32em" text-anchor="end">
            {text}
          </text>
        </g>
      ))}
      {p.x?.ticks(Math.max(2, Math.floor((right - left) / 80))).map(({ x, text }) => (
        <g key={x}>
          {p.grid !== false && <line class="grid" x1={p.x!(x)} x2={p.x!(x)} y1={top} y2={bottom} />}
          <text class="tick" x={p.x!(x)} y={bottom + 16} text-anchor="middle">
            {text}
          </text>
        </g>
      ))}
      <line class="axis" x1={left} x2={right} y1={bottom} y2={bottom} />
      <line class="axis" x1={left} x2={left} y1={top} y2={bottom} />
      {p.xTitle && (
        <text class="title" x={(left + right) / 2} y={bottom + 34} text-anchor="middle">
          {p.xTitle}
        </text>
      )}
      {p.yTitle && (
        <text class="title" x={4} y={top - 8} text-anchor="start">
          {p.yTitle}
        </text>
      )}
    </g>
  )
}

// Choice is a labelled list to choose from.
export function Choice(p: { label: string; value: string; options: { value: string; text: string }[]; on: (value: string) => void }) {
  return (
    <label class="choice">
      <span>{p.label}</span>
      <select value={p.value} onChange={(e) => p.on(e.currentTarget.value)}>
        {p.options.map((o) => (
          <option key={o.value} value={o.value}>
            {o.text}
          </option>
        ))}
      </select>
    </label>
  )
}

// ColumnChoice chooses a column of the given ones.
export function ColumnChoice(p: { label: string; id: number; ids: number[]; on: (id: number) => void }) {
  const columns: Column[] = store.view.columns
  return (
    <Choice
      label={p.label}
      value={String(p.id)}
      options={p.ids.map((id) => ({ value: String(id), text: title(columns[id]) }))}
      on={(v) => p.on(Number(v))}
    />
  )
}
