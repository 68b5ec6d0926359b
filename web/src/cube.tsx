// Three columns as a cube that can be turned.

import { useMemo } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import type { Loaded } from './data'
import { Canvas, useWidth } from './figure'
import { cut, number, title } from './format'
import { cloud, type Cloud } from './points'
import { of } from './scale'
import { hover, mask, pick, store } from './state'
import { colour, css, rgb } from './theme'
import type { At } from './drag'
import { PlotTip } from './kit'
import { span } from './pairs'
import { Dots, dotSize, drawFront, finder, Marks, ratio, type Frame } from './scatter'

// arrow says which way an objective is better.
export function arrow(id: number): string {
  const o = store.view.goal.objectives.find((o) => o.column === id)
  return o ? { minimize: ' ↓', maximize: ' ↑', target: ' ◎' }[o.direction] : ''
}

// The corners of the box, -1 or 1 along each axis.
const corners = Array.from({ length: 8 }, (_, k) => [k & 1, k & 2, k & 4].map((b) => (b ? 1 : -1)))

export function Cube(p: { columns: Loaded[]; kind: Uint8Array }) {
  const [ref, width] = useWidth<HTMLDivElement>()
  const at = useSignal<At | undefined>(undefined)
  const turn = useSignal<[number, number]>([-0.6, 0.4]) // around the upright axis, and towards the eye
  const from = useSignal<[number, number, number, number] | undefined>(undefined)
  const height = Math.round(Math.min(Math.max(width * 0.75, 280), 480))
  const { columns, kind } = p
  const model = useMemo(() => {
    if (!width) return undefined
    const scales = columns.map((c) => of(c, -1, 1, span(c)))
    const u = columns.map((c, k) => Float32Array.from(c.x, scales[k]))
    const shown = Uint8Array.from(kind, (v, r) => (u.every((a) => Math.abs(a[r]) <= 1.001) ? v : 0))
    const k = ratio()
    const f: Frame = { width, height, left: 0, top: 0, right: width, bottom: height }
    const c: Cloud = cloud(kind.length, Math.round(width * k), Math.round(height * k))
    let n = 0
    for (const v of shown) if (v) n++
    const size = Math.min(width, height * 1.2) * 0.25
    // project gives the place of a point of the box, and how near it is.
    const project = ([yaw, tilt]: [number, number]) => {
      const [ca, sa, ct, st] = [Math.cos(yaw), Math.sin(yaw), Math.cos(tilt), Math.sin(tilt)]
      return (x: number, y: number, z: number): [number, number, number] => {
        const depth = y * ca - x * sa
        return [width / 2 + size * (x * ca + y * sa), height / 2 - size * (z * ct + depth * st), z * st - depth * ct]
      }
    }
    const dots = new Dots(c, shown, dotSize(n, true))
    let now: readonly number[] | undefined
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      const to = project(turn.value)
      if (now !== turn.value) {
        now = turn.value
        for (let r = 0; r < shown.length; r++) {
          if (!shown[r]) continue
          const [px, py] = to(u[0][r], u[1][r], u[2][r])
          c.x[r] = px * k
          c.y[r] = py * k
        }
        dots.moved()
      }
      // Edges of the box, those behind first.
      g.lineWidth = 1
      g.strokeStyle = colour('--line')
      for (let a = 0; a < 8; a++) {
        for (const bit of [1, 2, 4]) {
          if (a & bit) continue
          const p1 = to(corners[a][0], corners[a][1], corners[a][2])
          const p2 = to(corners[a | bit][0], corners[a | bit][1], corners[a | bit][2])
          g.globalAlpha = p1[2] + p2[2] > 0 && corners[a][2] > 0 ? 0.35 : 1
          g.beginPath()
          g.moveTo(p1[0], p1[1])
          g.lineTo(p2[0], p2[1])
          g.stroke()
        }
      }
      g.globalAlpha = 1
      dots.draw(g, m, f)
      const front = store.view.front.rows
      g.strokeStyle = css(rgb('--front'), 0.3)
      g.beginPath()
      for (const r of front.length > 400 ? [] : front) {
        if (!shown[r] || !(m.all || m.bits[r])) continue
        const [fx, fy] = to(u[0][r], u[1][r], -1)
        g.moveTo(c.x[r] / k, c.y[r] / k)
        g.lineTo(fx, fy)
      }
      g.stroke()
      drawFront(g, c, m, 3.5)
    }
    return { scales, draw, project, cloud: c, find: finder(c) }
  }, [...columns, kind, width])

  const rotate = (dx: number, dy: number, [yaw, tilt] = turn.value) => {
    turn.value = [yaw + dx, Math.min(Math.max(tilt + dy, -1.5), 1.5)]
  }
  const place = (e: PointerEvent): [number, number] => {
    const r = (e.currentTarget as Element).getBoundingClientRect()
    return [e.clientX - r.left, e.clientY - r.top]
  }
  const look = (e: PointerEvent) => {
    const [x, y] = place(e)
    const row = model!.find(x, y, 12)
    at.value = { x, y, row }
    hover.value = row
    return row
  }
  const labels = () => {
    const to = model!.project(turn.value)
    return columns.map((c, k) => {
      // An axis is named at the edge of the floor nearest to the eye; the upright
      // one at the leftmost edge.
      const edges = [-1, 1].flatMap((a) =>
        (k === 2 ? [-1, 1] : [-1]).map((b) => {
          const end = (t: number): [number, number, number] => (k === 0 ? [t, a, b] : k === 1 ? [a, t, b] : [a, b, t])
          return [to(...end(-1)), to(...end(1))]
        }),
      )
      edges.sort((p, q) => (k === 2 ? p[0][0] - q[0][0] : q[0][1] + q[1][1] - p[0][1] - p[1][1]))
      const [a, b] = edges[0]
      const s = model!.scales[k]
      // Texts stand outside the box, as seen from its middle.
      const text = (t: number, away: number, what: string, name: string) => {
        const [px, py] = [0, 1].map((d) => a[d] + ((b[d] - a[d]) * (t + 1)) / 2)
        const [ox, oy] = k === 2 ? [-1, 0] : [px - width / 2, py - height / 2]
        const far = away / Math.hypot(ox, oy)
        return (
          <text class={name} x={px + ox * far} y={py + oy * far} dy="0.32em" text-anchor={ox < -20 || k === 2 ? 'end' : ox > 20 ? 'start' : 'middle'}>
            {what}
          </text>
        )
      }
      const round = (t: number) => number(Number(s.invert(t).toPrecision(2)))
      return (
        <g key={k}>
          {text(-0.85, 10, round(-0.85), 'tick')}
          {text(0.85, 10, round(0.85), 'tick')}
          {text(0, k === 2 ? 10 : 26, cut(title(c.meta), 24) + arrow(c.id), 'title')}
        </g>
      )
    })
  }
  return (
    <div class="plot" ref={ref} style={{ height: height + 'px' }}>
      {model && (
        <>
          <Canvas width={width} height={height} draw={model.draw} label={`${columns.map((c) => title(c.meta)).join(', ')} in three dimensions`} />
          <svg
            class="over turn"
            width={width}
            height={height}
            tabindex={0}
            aria-label="arrow keys turn the cube"
            onKeyDown={(e) => {
              const d = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[e.key]
              if (!d) return
              e.preventDefault()
              rotate(d[0], d[1])
            }}
            onPointerDown={(e) => {
              e.currentTarget.setPointerCapture(e.pointerId)
              from.value = [...place(e), ...turn.value]
            }}
            onPointerMove={(e) => {
              const f = from.value
              if (!f) return void look(e)
              const [x, y] = place(e)
              at.value = undefined
              if (Math.hypot(x - f[0], y - f[1]) > 3) rotate((x - f[0]) / 120, (y - f[1]) / 120, [f[2], f[3]])
            }}
            onPointerUp={(e) => {
              const f = from.value
              from.value = undefined
              const [x, y] = place(e)
              if (f && Math.hypot(x - f[0], y - f[1]) <= 3) {
                const row = look(e)
                if (row >= 0) pick(row, e.shiftKey)
              }
            }}
            onPointerCancel={() => (from.value = undefined)}
            onPointerLeave={() => {
              at.value = undefined
              hover.value = -1
            }}
          >
            {labels()}
            <Marks key={turn.value.join()} cloud={model.cloud} />
          </svg>
          <PlotTip at={at} width={width} ids={columns.map((c) => c.id)} />
        </>
      )}
    </div>
  )
}
