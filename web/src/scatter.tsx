// Scatter plots of any number of trials, and the one of the front.

import { useEffect, useMemo } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import type { Loaded } from './data'
import { Choice, Figure, useWidth } from './figure'
import { number, plural, title as columnTitle } from './format'
import { cloud, nearest, type Cloud } from './points'
import { of, type Scale } from './scale'
import { choices, choose, hover, mask, picks, store, type Mask } from './state'
import { colour, css, painted, rgb } from './theme'
import { colouring, Key, palette, tints, type Colouring } from './colouring'
import { Field } from './field'
import { chosen, Plot } from './kit'
import { kinds, label, misses, numeric, room, scaled, spans, type Span } from './rows'

// Frame is where a plot lies in its element, in CSS pixels.
export interface Frame {
  width: number
  height: number
  left: number
  top: number
  right: number
  bottom: number
  ox?: number // where its canvas begins, if that is smaller than the element
  oy?: number
}

// margin is the room that the numbers of a vertical axis take.
export function margin(y: Scale, height: number): number {
  return Math.min(Math.max(...y.ticks(Math.floor(height / 48)).map((t) => t.text.length), 2) * 6.5 + 16, 120)
}

// ratio is the scale of canvases (see Canvas).
export const ratio = () => Math.min(devicePixelRatio || 1, 2)

// A Placed cloud begins at (ox, oy) of its element, in CSS pixels; at (0, 0)
// without.
export interface Placed extends Cloud {
  ox?: number
  oy?: number
}

// A Cast is where the rows stand in a frame.
export interface Cast {
  cloud: Placed
  shown: number // rows inside
  outside: number // rows beyond the ends of the axes
  lacking: number // rows without one of the values
}

// cast places rows by two columns.
export function cast(x: Loaded, y: Loaded, sx: Scale, sy: Scale, f: Frame, kind: Uint8Array): Cast {
  const k = ratio()
  const ox = f.ox ?? 0
  const oy = f.oy ?? 0
  const c: Placed = { ...cloud(x.x.length, Math.round(f.width * k), Math.round(f.height * k)), ox, oy }
  let shown = 0
  let outside = 0
  let lacking = 0
  for (let r = 0; r < kind.length; r++) {
    if (!kind[r]) continue
    const px = sx(x.x[r])
    const py = sy(y.x[r])
    if (px >= f.left && px <= f.right && py >= f.top && py <= f.bottom) {
      c.x[r] = Math.round((px - ox) * k)
      c.y[r] = Math.round((py - oy) * k)
      shown++
    } else if (px === px && py === py) outside++
    else lacking++
  }
  return { cloud: c, shown, outside, lacking }
}

// spot is where a row stands in the element, or undefined.
export function spot(c: Placed, row: number): [number, number] | undefined {
  const k = ratio()
  return c.x[row] >= 0 ? [c.x[row] / k + (c.ox ?? 0), c.y[row] / k + (c.oy ?? 0)] : undefined
}

// Dots draws a cloud: the selected rows over the faint others.
export class Dots {
  private strong: Field | undefined
  private base: Field | undefined
  private theme = -1
  private alpha = 0

  constructor(
    readonly cloud: Cloud,
    private kind: Uint8Array,
    private size: number, // in device pixels
    private by?: Colouring,
  ) {}

  // moved says that the cloud has changed.
  moved(): void {
    this.strong?.reset()
    this.base?.reset()
  }

  draw(g: CanvasRenderingContext2D, m: Mask, f: Frame): void {
    // Only colours by a column are part of a field; others are looked up.
    if (!this.strong || (this.by && this.theme !== painted.value)) {
      this.strong = new Field(this.cloud, this.kind, this.size, this.by && tints(this.by))
      this.strong.follow()
      this.alpha = this.strong.alpha()
      this.theme = painted.value
    }
    const put = (c: HTMLCanvasElement) => g.drawImage(c, f.ox ?? 0, f.oy ?? 0, f.width, f.height)
    const point = rgb('--point')
    if (!m.all) {
      this.base ??= new Field(this.cloud, this.kind, this.size)
      this.base.follow()
      put(this.base.paint(point, point, this.alpha * 0.3))
    }
    this.strong.follow(m.all ? undefined : m.bits)
    put(this.strong.paint(rgb('--selected'), m.all ? point : rgb('--selected'), this.alpha))
  }
}

// dotSize is the diameter of n points, in device pixels.
export function dotSize(n: number, small = false): number {
  return Math.round((n > 20_000 ? 3 : n > 2_000 ? 4 : n > 300 ? 5 : 7) * (small ? 0.75 : 1) * ratio())
}

// drawFront draws the points of the front, the selected ones stronger.
export function drawFront(g: CanvasRenderingContext2D, c: Placed, m: Mask, radius: number): void {
  const rows = store.view.front.rows
  const many = rows.length > 1500
  g.strokeStyle = colour('--ground')
  for (const strong of [false, true]) {
    g.fillStyle = css(rgb('--front'), strong ? 1 : 0.3)
    for (const r of rows) {
      const at = (m.all || m.bits[r] === 1) === strong && spot(c, r)
      if (!at) continue
      g.beginPath()
      g.arc(at[0], at[1], many ? Math.min(radius, 2) : radius, 0, 7)
      g.fill()
      if (!many) g.stroke()
    }
  }
}

// Marks rings the picked rows and the one under the pointer.
export function Marks(p: { cloud: Placed }) {
  const ring = (row: number, name: string, r: number) => {
    const at = row >= 0 && spot(p.cloud, row)
    return at && <circle key={name + row} class={name} cx={at[0]} cy={at[1]} r={r} />
  }
  return (
    <g class="marks">
      {picks.value.map((row) => ring(row, 'picked', 7))}
      {ring(hover.value, 'hovered', 6)}
    </g>
  )
}

// find returns a function for Brush that looks for the nearest point.
export function finder(c: Placed): (x: number, y: number, reach: number) => number {
  const k = ratio()
  return (x, y, reach) => {
    const m = mask.value
    const at = (r: number, bits?: Uint8Array) => nearest(c, (x - (c.ox ?? 0)) * k, (y - (c.oy ?? 0)) * k, r * k, bits)
    const near = at(reach, m.all ? undefined : m.bits)
    return near >= 0 || m.all ? near : at(reach / 2)
  }
}

// A Label stands at a point.
interface Label {
  x: number
  y: number
  text: string
  anchor: 'start' | 'end'
}

// place puts texts beside their rows, where they hide few points of the front
// and no other text.
function place(texts: Map<number, string>, c: Placed, f: Frame, stairs: [number, number][]): Label[] {
  const dots = store.view.front.rows.slice(0, 2000).flatMap((r) => [spot(c, r) ?? []]).filter((d) => d.length)
  stairs.forEach(([x, y], k) => {
    const [px, py] = stairs[k - 1] ?? [x, y]
    for (let s = 0, n = Math.hypot(x - px, y - py) / 8; s < n; s++) dots.push([px + ((x - px) * s) / n, py + ((y - py) * s) / n])
  })
  const taken: [number, number, number, number][] = []
  const out: Label[] = []
  for (const [row, text] of texts) {
    const at = spot(c, row)
    if (!at) continue
    const [x, y] = at
    const w = text.length * 6.6 + 4
    let best = Infinity
    let choice: Label | undefined
    let where: [number, number, number, number] = [0, 0, 0, 0]
    for (const [dx, dy] of [[9, 4], [-9, 4], [9, -8], [-9, -8], [9, 16], [-9, 16], [0, -13], [0, 22]]) {
      const left = dx > 0 ? x + dx : dx < 0 ? x + dx - w : x - w / 2
      const box: [number, number, number, number] = [left, y + dy - 11, left + w, y + dy + 3]
      let cost = Math.max(0, f.left - box[0], box[2] - f.right, f.top - box[1], box[3] - f.bottom) * 100
      for (const [px, py] of dots) if (px > box[0] - 3 && px < box[2] + 3 && py > box[1] - 3 && py < box[3] + 3) cost += 2
      for (const t of taken) if (t[0] < box[2] && t[2] > box[0] && t[1] < box[3] && t[3] > box[1]) cost += 1000
      if (cost < best) {
        best = cost
        where = box
        choice = { x: dx < 0 ? box[2] : box[0], y: y + dy, text, anchor: dx < 0 ? 'end' : 'start' }
      }
    }
    if (choice && best < 1000) {
      taken.push(where)
      out.push(choice)
    }
  }
  return out
}

// roles are the texts at the designs to look at first.
function roles(): Map<number, string> {
  const { answer, front } = store.view
  const out = new Map<number, string>()
  for (const { row, role } of answer.picks) out.set(row, out.has(row) ? `${out.get(row)}, ${role}` : role)
  if (front.knee >= 0 && !out.has(front.knee)) out.set(front.knee, 'knee')
  return out
}

// Scatter plots two columns against each other: brush, hover and pick included.
// It shows the rows that were measured to the end; the front's stand out unless
// front is false. ids are columns that the tip shows beside the axes'.
export function Scatter(p: {
  x: number
  y: number
  label: string // for those who cannot see it
  height?: number
  xSpan?: [number, number] // ends of the axes; all values without
  ySpan?: [number, number]
  xLog?: boolean // logarithmic or not; as suits the values without
  yLog?: boolean
  by?: Colouring
  front?: boolean
  ids?: number[]
  told?: (c: Cast) => void // is called with what was placed
}) {
  const [ref, width] = useWidth<HTMLDivElement>()
  const height = p.height ?? Math.round(Math.min(Math.max(width * 0.5, 300), 480))
  const kind = kinds()
  const loaded = store.all([p.x, p.y])
  const [x, y] = kind && loaded ? [scaled(loaded[0], p.xLog), scaled(loaded[1], p.yLog)] : []
  const front = p.front !== false
  const model = useMemo(() => {
    if (!x || !y || !kind || !width) return undefined
    const top = 30
    const bottom = height - 44
    const span = (c: Loaded, s?: [number, number]) => s && room(s, c.meta.log, 0.04)
    const sy = of(y, bottom, top, span(y, p.ySpan))
    const left = margin(sy, height)
    const f: Frame = { width, height, left, top, right: width - 14, bottom }
    const sx = of(x, left, f.right, span(x, p.xSpan))
    const placed = cast(x, y, sx, sy, f, kind)
    const dots = new Dots(placed.cloud, kind, dotSize(placed.shown), p.by)
    const { goal } = store.view
    const two = goal.objectives.length === 2 && goal.objectives.every((o) => o.direction !== 'target') && store.view.front.feasible
    const ox = goal.objectives.find((o) => o.column === p.x)
    const oy = goal.objectives.find((o) => o.column === p.y)
    // Limits on the axes: what lies beyond is shaded.
    const limits = goal.limits.flatMap((l) => {
      const along = l.column === p.x ? sx : l.column === p.y ? sy : undefined
      if (!along || l.op === '==') return []
      const b = Math.min(Math.max(along(l.bound), along === sx ? left : top), along === sx ? f.right : bottom)
      const above = l.op.startsWith('<') // beyond are the larger numbers
      if (Number.isNaN(b)) return []
      const box = along === sx ? (above ? [b, top, f.right, bottom] : [left, top, b, bottom]) : above ? [left, top, f.right, b] : [left, b, f.right, bottom]
      if (box[2] - box[0] < 1 || box[3] - box[1] < 1) return []
      return [{ box, text: 'misses ' + l.text.replace('<=', '≤').replace('>=', '≥'), upright: along === sx, above }]
    })
    // From a member one goes along the worse first objective until the next one
    // takes over; the ends run to the worst.
    const stairs: [number, number][] = []
    if (two && ox && oy && ox !== oy) {
      const better = ox.direction === 'minimize' ? 1 : -1
      const rows = store.view.front.rows.filter((r) => Number.isFinite(x.x[r]) && Number.isFinite(y.x[r]))
      rows.sort((a, b) => better * (x.x[a] - x.x[b]))
      for (const r of rows) {
        const px = sx(x.x[r])
        stairs.push([px, stairs.at(-1)?.[1] ?? (oy.direction === 'minimize' ? top : bottom)], [px, sy(y.x[r])])
      }
      const end = stairs.at(-1)
      if (end) stairs.push([better > 0 ? f.right : left, end[1]])
    }
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      for (const { box } of limits) {
        g.fillStyle = css(rgb('--bad'), 0.06)
        g.fillRect(box[0], box[1], box[2] - box[0], box[3] - box[1])
      }
      dots.draw(g, m, f)
      if (!front) return
      g.save()
      g.beginPath()
      g.rect(left, top, f.right - left, bottom - top)
      g.clip()
      g.beginPath()
      for (const [px, py] of stairs) g.lineTo(px, py)
      g.strokeStyle = css(rgb('--front'), 0.8)
      g.lineWidth = 1.5
      g.stroke()
      g.restore()
      g.lineWidth = 1
      drawFront(g, placed.cloud, m, 4)
    }
    return { f, sx, sy, placed, limits, draw, find: finder(placed.cloud), labels: front ? place(roles(), placed.cloud, f, stairs) : [] }
  }, [x, y, kind, width, height, p.xSpan?.join(), p.ySpan?.join(), p.by?.column, p.by?.low, front])

  useEffect(() => {
    if (model) p.told?.(model.placed)
  }, [model])
  return (
    <div ref={ref} style={{ minHeight: height + 'px' }}>
      {model && (
        <Plot
          frame={model.f}
          x={model.sx}
          y={model.sy}
          xTitle={label(p.x)}
          yTitle={label(p.y)}
          label={p.label}
          draw={model.draw}
          find={model.find}
          cloud={model.placed.cloud}
          cx={p.x}
          cy={p.y}
          tip={[p.x, p.y, p.by?.column.id ?? -1, ...(p.ids ?? [])]}
        >
          {model.limits.map((l) => (
            <text
              key={l.text}
              class="limit"
              text-anchor="end"
              transform={
                l.upright
                  ? `translate(${l.above ? l.box[0] + 12 : l.box[2] - 5} ${l.box[1] + 5}) rotate(-90)`
                  : `translate(${l.box[2] - 5} ${l.above ? l.box[3] - 5 : l.box[1] + 13})`
              }
            >
              {l.text}
            </text>
          ))}
          {model.labels.map((l) => (
            <text key={l.text} class="direct" x={l.x} y={l.y} text-anchor={l.anchor}>
              {l.text}
            </text>
          ))}
        </Plot>
      )}
    </div>
  )
}

// FrontFigure shows the trade-off between two columns: the first two objectives
// unless others are chosen.
export function FrontFigure() {
  const { goal, front, columns } = store.view
  const told = useSignal<Cast | undefined>(undefined)
  const axes = numeric()
  const measured = goal.objectives.map((o) => o.column).filter((id) => id >= 0 && columns[id].kind === 'number')
  const single = measured.length < 2
  const title = single ? 'Every trial' : 'The front'
  if (store.view.missing.front !== undefined) return <Figure id="front" title={title} missing="front" wide />
  if (!measured.length || !store.rows) {
    return (
      <Figure id="front" title={title} wide>
        <p class="absent">No trial has a value of the objectives yet.</p>
      </Figure>
    )
  }
  const ix = chosen(choices.value['front.x'], axes, single ? 0 : measured[0])
  const iy = chosen(choices.value['front.y'], axes, single ? measured[0] : measured[1])
  const kind = kinds()
  const loaded = store.all([ix, iy])
  const logOf = (key: string) => (choices.value[key] === undefined ? undefined : choices.value[key] === 'log')
  const [x, y] = kind && loaded ? [scaled(loaded[0], logOf('front.xscale')), scaled(loaded[1], logOf('front.yscale'))] : []
  const sx = x && spans(x)
  const sy = y && spans(y)
  const wanted = choices.value['front.span'] as Span | undefined
  const offers = (s: Span) => !!(sx?.[s] || sy?.[s])
  const span: Span = wanted && offers(wanted) ? wanted : offers('most') ? 'most' : 'all'
  const range = (s: typeof sx): [number, number] | undefined => s?.[span] && (span === 'front' ? s.front && room(s.front, false, 0.25) : s[span])

  const colours = columns.flatMap((c, id) =>
    (c.kind === 'number' && c.min !== undefined) || (c.kind === 'category' && c.values && c.values.length > 1 && c.values.length <= palette) ? [id] : [],
  )
  const byId = chosen(choices.value['front.colour'], colours)
  const byColumn = store.column(byId)
  const by = byColumn && kind ? colouring(byColumn) : undefined
  const missed = kind ? misses(kind) : 0
  const set = (key: string) => (id: number) => choose(key, columns[id].name)
  const { shown = 0, outside = 0, lacking = 0 } = told.value ?? {}
  const whole = measured.length > 2 ? ` of ${measured.length} objectives` : ''
  const members = !front.feasible
    ? 'no design keeps every limit; these miss them least'
    : single
      ? 'the best'
      : `${number(front.rows.length)} on the front${whole}`
  const item = (name: string, text: string) => (
    <span>
      <span class={'dot ' + name} />
      {text}
    </span>
  )
  const axis = (name: string, id: number, c: Loaded | undefined) => (
    <>
      <Choice
        label={name}
        value={String(id)}
        options={axes.map((a) => ({ value: String(a), text: a === 0 ? 'trial number' : columnTitle(columns[a]) }))}
        on={(v) => set('front.' + name)(Number(v))}
      />
      {c && c.meta.part !== 'record' && c.meta.min! > 0 && c.meta.max! > 3 * c.meta.min! && (
        <button aria-pressed={!!c.meta.log} title={`logarithmic ${name} axis`} onClick={() => choose(`front.${name}scale`, c.meta.log ? 'linear' : 'log')}>
          log
        </button>
      )}
    </>
  )
  return (
    <Figure
      id="front"
      title={title}
      wide
      tools={
        <>
          {axis('x', ix, x)}
          {axis('y', iy, y)}
          <Choice
            label="colour"
            value={by ? String(byId) : ''}
            options={[{ value: '', text: 'none' }, ...colours.map((id) => ({ value: String(id), text: columns[id].name }))]}
            on={(v) => choose('front.colour', v ? columns[Number(v)].name : undefined)}
          />
          {(offers('most') || offers('front')) && (
            <Choice
              label="show"
              value={span}
              options={[
                ...(offers('most') ? [{ value: 'most', text: 'most values' }] : []),
                { value: 'all', text: 'all values' },
                ...(offers('front') ? [{ value: 'front', text: 'around the front' }] : []),
              ]}
              on={(v) => choose('front.span', v)}
            />
          )}
        </>
      }
      note={
        <>
          <span class="key">
            {item('', plural(shown + outside, 'trial'))}
            {item('on-front', members)}
            {missed > 0 && item('ring', `${plural(missed, 'trial')} that ${missed === 1 ? 'misses' : 'miss'} a limit`)}
          </span>
          {by && <Key of={by} />}
          {outside > 0 && `${plural(outside, 'trial')} beyond the ends of the axes. `}
          {lacking > 0 && `${plural(lacking, 'trial')} without a value on both axes. `}
          <span class="screen">Drag to select, click for a design, double click to clear.</span>
        </>
      }
    >
      <Scatter
        x={ix}
        y={iy}
        xLog={x && !!x.meta.log}
        yLog={y && !!y.meta.log}
        xSpan={range(sx)}
        ySpan={range(sy)}
        by={by}
        ids={measured}
        told={(c) => (told.value = c)}
        label={`${plural(store.rows, 'trial')}: ${label(ix)} across, ${label(iy)} up; ${plural(front.rows.length, 'design')} on the front`}
      />
    </Figure>
  )
}
