// Three columns as a cube that can be turned.

import { useMemo } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import { better } from './bits'
import { cloud, Dots, dotSize, drawFront, finder, ratio, type Frame } from './cloud'
import type { Loaded } from './data'
import { place, type At } from './drag'
import { Canvas } from './figure'
import { cut, number, title } from './format'
import { dot, Marks, RowTip } from './plot'
import { span } from './rows'
import { clamp, of } from './scale'
import { hover, mask, pick, store } from './state'
import { colour, css, rgb } from './theme'

type Point = [number, number, number]

// The corners of the box, -1 or 1 along each axis.
const corners = Array.from({ length: 8 }, (_, k) => [k & 1, k & 2, k & 4].map((b) => (b ? 1 : -1)) as Point)

export function Cube({ columns, kind, width }: { columns: Loaded[]; kind: Uint8Array; width: number }) {
  const at = useSignal<At | undefined>(undefined)
  const turn = useSignal<[number, number]>([-0.6, 0.4]) // around the upright axis, and towards the eye
  const from = useSignal<number[] | undefined>(undefined) // where a drag began, and the turn then
  const height = Math.round(clamp(width * 0.75, 280, 480))
  const model = useMemo(() => {
    const scales = columns.map((c) => of(c, -1, 1, span(c)))
    const u = columns.map((c, k) => Float32Array.from(c.x, scales[k]))
    const shown = kind.map((v, r) => (u.every((a) => Math.abs(a[r]) <= 1.001) ? v : 0))
    const k = ratio()
    const f: Frame = { width, height, left: 0, top: 0, right: width, bottom: height }
    const c = cloud(kind.length, f)
    const size = Math.min(width, height * 1.2) * 0.25
    // project gives the place of a point of the box, and how near it is.
    const project = ([yaw, tilt]: [number, number]) => {
      const [ca, sa, ct, st] = [Math.cos(yaw), Math.sin(yaw), Math.cos(tilt), Math.sin(tilt)]
      return ([x, y, z]: Point): Point => {
        const depth = y * ca - x * sa
        return [width / 2 + size * (x * ca + y * sa), height / 2 - size * (z * ct + depth * st), z * st - depth * ct]
      }
    }
    const dots = new Dots(c, shown, dotSize(shown.length, 0.75))
    let now: unknown
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      const to = project(turn.value)
      if (now !== turn.value) {
        now = turn.value
        for (let r = 0; r < shown.length; r++) {
          if (!shown[r]) continue
          const [px, py] = to([u[0][r], u[1][r], u[2][r]])
          c.x[r] = px * k
          c.y[r] = py * k
        }
        dots.moved()
      }
      const segment = (a: Point, b: Point) => {
        const [[ax, ay], [bx, by]] = [to(a), to(b)]
        g.moveTo(ax, ay)
        g.lineTo(bx, by)
      }
      // The edges of the box.
      g.lineWidth = 1
      g.strokeStyle = colour('--line')
      g.beginPath()
      for (let a = 0; a < 8; a++) for (const bit of [1, 2, 4]) if (!(a & bit)) segment(corners[a], corners[a | bit])
      g.stroke()
      dots.draw(g, m, f)
      const front = store.view.front.rows
      g.strokeStyle = css(rgb('--front'), 0.3)
      g.beginPath()
      for (const r of front.length > 400 ? [] : front) {
        if (shown[r] && (m.all || m.bits[r])) segment([u[0][r], u[1][r], u[2][r]], [u[0][r], u[1][r], -1])
      }
      g.stroke()
      drawFront(g, c, m, 3.5)
    }
    return { scales, draw, project, c, find: finder(c) }
  }, [...columns, kind, width])

  const rotate = (dx: number, dy: number, [yaw, tilt]: number[] = turn.value) => {
    turn.value = [yaw + dx, clamp(tilt + dy, -1.5, 1.5)]
  }
  const look = (e: PointerEvent) => {
    const [x, y] = place(e)
    const row = model.find(x, y, 12)
    at.value = { x, y, row }
    hover.value = row
  }
  const to = model.project(turn.value)
  return (
    <div class="plot" style={{ height: height + 'px' }}>
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
          if (!f) return look(e)
          const [x, y] = place(e)
          at.value = undefined
          if (Math.hypot(x - f[0], y - f[1]) > 3) rotate((x - f[0]) / 120, (y - f[1]) / 120, f.slice(2))
        }}
        onPointerUp={(e) => {
          const f = from.value
          from.value = undefined
          if (!f || turn.value[0] !== f[2] || turn.value[1] !== f[3]) return
          look(e)
          if (hover.value >= 0) pick(hover.value, e.shiftKey)
        }}
        onPointerCancel={() => (from.value = undefined)}
        onPointerLeave={() => {
          at.value = undefined
          hover.value = -1
        }}
      >
        {columns.map((c, k) => {
          // An axis is named at the edge of the floor nearest to the eye; the upright
          // one at the leftmost edge.
          const edges = [[-1, -1], [1, -1], [-1, 1], [1, 1]].slice(0, k === 2 ? 4 : 2).map(([a, b]) => {
            const end = (t: number): Point => (k === 0 ? [t, a, b] : k === 1 ? [a, t, b] : [a, b, t])
            return [to(end(-1)), to(end(1))]
          })
          edges.sort((p, q) => (k === 2 ? p[0][0] - q[0][0] : q[0][1] + q[1][1] - p[0][1] - p[1][1]))
          const [a, b] = edges[0]
          // Texts stand outside the box, as seen from its middle.
          const text = (t: number, away: number, what: string, name: string) => {
            const [px, py] = [0, 1].map((d) => a[d] + ((b[d] - a[d]) * (t + 1)) / 2)
            const [ox, oy] = k === 2 ? [-21, 0] : [px - width / 2, py - height / 2]
            const far = away / Math.hypot(ox, oy)
            return (
              <text class={name} x={px + ox * far} y={py + oy * far} dy="0.32em" text-anchor={ox < -20 ? 'end' : ox > 20 ? 'start' : 'middle'}>
                {what}
              </text>
            )
          }
          const round = (t: number) => number(Number(model.scales[k].invert(t).toPrecision(2)))
          return (
            <>
              {text(-0.85, 10, round(-0.85), 'tick')}
              {text(0.85, 10, round(0.85), 'tick')}
              {text(0, k === 2 ? 10 : 26, cut(title(c.meta), 24) + better(c.meta), 'title')}
            </>
          )
        })}
        <Marks mark={(row, name) => dot(model.c)(row, name)} />
      </svg>
      <RowTip at={at} width={width} ids={columns.map((c) => c.id)} />
    </div>
  )
}
