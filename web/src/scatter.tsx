// The front: a scatter plot of every trial, with limits shaded.

import { useMemo } from 'preact/hooks'
import type { Loaded } from './data'
import { Choice, ColumnChoice, Figure, Key, Lazy } from './figure'
import { number, plural } from './format'
import { cast, clip, Dots, dotSize, drawFront, finder, frame, margin, spot, type Cloud, type Frame } from './cloud'
import { colouring, palette, Ramp, type Colouring } from './colouring'
import { Plot } from './plot'
import { chosen, compared, kinds, label, numeric, objectives, roles, scaled, spans, those, upright, type Span } from './rows'
import { clamp, of, room, type Range, type Scale } from './scale'
import { choices, choose, mask, store } from './state'
import { css, rgb } from './theme'

// A Label stands at a point.
interface Label {
  x: number
  y: number
  text: string
  anchor: 'start' | 'end'
}

interface Known {
  at: [number, number]
  text: string
}

// references are the places of what people would use without a search.
function references(x: Loaded, y: Loaded, sx: Scale, sy: Scale, f: Frame): Known[] {
  return (store.view.front.references ?? []).flatMap((r) => {
    const [a, b] = [sx(r.values[x.meta.name] ?? NaN), sy(r.values[y.meta.name] ?? NaN)]
    return a >= f.left && a <= f.right && b >= f.top && b <= f.bottom ? [{ at: [a, b], text: r.name }] : []
  })
}

// labels puts what designs are beside their points, where they hide little of the
// front and no other text.
function labels(c: Cloud, f: Frame, steps: [number, number][], known: Known[]): Label[] {
  const { answer, front } = store.view
  const boxes = [
    ...front.rows.slice(0, 2000).map((r) => spot(c, r) ?? [-9, -9]).map(([x, y]) => [x, y, x, y]),
    ...steps.slice(1).map(([x, y], k) => [Math.min(x, steps[k][0]), Math.min(y, steps[k][1]), Math.max(x, steps[k][0]), Math.max(y, steps[k][1])]),
  ]
  const taken: number[][] = []
  boxes.push(...known.map(({ at: [x, y] }) => [x - 5, y - 5, x + 5, y + 5]))
  const points = [...new Set([...answer.picks.map((p) => p.row), front.knee])].map((row) => ({ at: spot(c, row), text: roles(row) }))
  return [...points, ...known].flatMap(({ at, text }) => {
    if (!at) return []
    const w = text.length * 6.6 + 4
    const places = [[9, 4], [-9, 4], [9, -8], [-9, -8], [9, 16], [-9, 16]].map(([dx, dy]) => {
      const left = at[0] + (dx > 0 ? dx : dx - w)
      const box = [left, at[1] + dy - 11, left + w, at[1] + dy + 3]
      const hits = ([l, t, r, b]: number[]) => l < box[2] + 3 && r > box[0] - 3 && t < box[3] + 3 && b > box[1] - 3
      const off = left < f.left || box[2] > f.right || box[1] < f.top || taken.some(hits)
      return { cost: off ? Infinity : boxes.filter(hits).length, box, x: dx > 0 ? left : box[2], y: at[1] + dy, text, anchor: dx > 0 ? ('start' as const) : ('end' as const) }
    })
    const best = places.reduce((a, b) => (b.cost < a.cost ? b : a))
    if (best.cost === Infinity) return []
    taken.push(best.box)
    return [best]
  })
}

// limits are the parts of a frame that miss a limit of a column on an axis.
function limits(id: number, s: Scale, f: Frame, upright: boolean) {
  return store.view.goal.limits.flatMap((l) => {
    const [from, to] = upright ? [f.left, f.right] : [f.bottom, f.top]
    const b = clamp(s(l.bound), Math.min(from, to), Math.max(from, to))
    const above = l.op[0] === '<' // beyond are the larger numbers
    const end = above ? to : from
    if (l.column !== id || l.op === '==' || !(Math.abs(end - b) >= 1)) return []
    const [low, high] = [Math.min(b, end), Math.max(b, end)]
    const box = upright ? [low, f.top, high, f.bottom] : [f.left, low, f.right, high]
    const [x, y] = upright ? [above ? low + 12 : high - 5, f.top + 5] : [f.right - 5, above ? high - 5 : low + 13]
    return [{ box, text: 'misses ' + l.text, place: `translate(${x} ${y})` + (upright ? 'rotate(-90)' : '') }]
  })
}

// stairs go along the edge of what the front beats: from a member along the worse
// first objective until the next one takes over; the ends run to the worst.
function stairs(x: Loaded, y: Loaded, sx: Scale, sy: Scale, f: Frame): [number, number][] {
  const { goal, front } = store.view
  const [a, b] = [x, y].map((c) => goal.objectives.find((o) => o.column === c.id)?.direction)
  if (goal.objectives.length !== 2 || !front.feasible || x.id === y.id || !/^m.*m/.test(`${a}${b}`)) return []
  const sign = a === 'minimize' ? 1 : -1
  const out: [number, number][] = []
  for (const r of front.rows.filter((r) => Number.isFinite(x.x[r] + y.x[r])).sort((a, b) => sign * (x.x[a] - x.x[b]))) {
    const px = sx(x.x[r])
    out.push([px, out.at(-1)?.[1] ?? (b === 'minimize' ? f.top : f.bottom)], [px, sy(y.x[r])])
  }
  if (out.length) out.push([sign > 0 ? f.right : f.left, out.at(-1)![1]])
  return out
}

function Scatter(p: { x: Loaded; y: Loaded; xSpan?: Range; ySpan?: Range; by?: Colouring; ids: number[]; width: number }) {
  const { x, y, width, by } = p
  const kind = kinds()!
  const height = Math.round(clamp(width * 0.5, 300, 480))
  const model = useMemo(() => {
    const span = (c: Loaded, s?: Range) => s && room(s, c.meta.log, 0.04)
    const sy = of(y, height - 44, 30, span(y, p.ySpan))
    const f = frame(width, height, margin(sy, { width, height }))
    const sx = of(x, f.left, f.right, span(x, p.xSpan))
    const c = cast(x, y, sx, sy, f, kind)
    const dots = new Dots(c, kind, dotSize(c.shown), by)
    const beyond = [...limits(x.id, sx, f, true), ...limits(y.id, sy, f, false)]
    const steps = stairs(x, y, sx, sy, f)
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      g.fillStyle = css(rgb('--bad'), 0.06)
      for (const { box } of beyond) g.fillRect(box[0], box[1], box[2] - box[0], box[3] - box[1])
      dots.draw(g, m, f)
      clip(g, f, () => {
        for (const [px, py] of steps) g.lineTo(px, py)
        g.strokeStyle = css(rgb('--front'), 0.8)
        g.lineWidth = 1.5
        g.stroke()
      })
      drawFront(g, c, m, 4)
    }
    const known = references(x, y, sx, sy, f)
    return { f, sx, sy, c, beyond, draw, known, find: finder(c), labels: labels(c, f, steps, known) }
  }, [x, y, width, p.xSpan?.join(), p.ySpan?.join(), by?.column])
  const { c } = model
  return (
    <>
      <Plot
        frame={model.f}
        x={model.sx}
        y={model.sy}
        xTitle={label(x.id)}
        yTitle={label(y.id)}
        label={`${plural(store.rows, 'trial')}: ${label(x.id)} across, ${label(y.id)} up`}
        draw={model.draw}
        find={model.find}
        cloud={c}
        cx={x.id}
        cy={y.id}
        tip={[x.id, y.id, by?.column.id ?? -1, ...p.ids]}
      >
        {model.beyond.map((l) => (
          <text class="limit" text-anchor="end" transform={l.place}>
            {l.text.replace('<=', '≤').replace('>=', '≥')}
          </text>
        ))}
        {model.known.map(({ at: [a, b], text }) => (
          <path class="reference" d={`M${a} ${b - 6}l6 6l-6 6l-6-6z`}>
            <title>{text}</title>
          </path>
        ))}
        {model.labels.map((l) => (
          <text class="direct" x={l.x} y={l.y} text-anchor={l.anchor}>
            {l.text}
          </text>
        ))}
      </Plot>
      <Legend c={c} kind={kind} known={model.known.length > 0} />
      {by && <Ramp of={by} />}
      <p class="note">
        {c.outside > 0 && `${plural(c.outside, 'trial')} beyond the ends of the axes. `}
        {c.lacking > 0 && `${plural(c.lacking, 'trial')} without a number on both axes. `}
        <span class="screen">Drag to select, click for a design, double click to clear.</span>
      </p>
    </>
  )
}

function Legend({ c, kind, known }: { c: Cloud; kind: Uint8Array; known: boolean }) {
  const { front } = store.view
  const missed = useMemo(() => kind.reduce((n, k) => n + Number(k === 2), 0), [kind])
  return (
    <Key
      items={[
        ['--selected', plural(c.shown + c.outside, 'trial')],
        ['--front', front.feasible ? `${number(front.rows.length)} on the front` : 'nearest to the limits: no design keeps them all'],
        missed > 0 && ['--point', `${number(missed)} miss a limit`, 'ring'],
        known && ['--ink', 'to compare with', 'diamond'],
      ]}
    />
  )
}

// FrontFigure shows the trade-off between two columns: the first two objectives, what
// is maximized going up, unless others are chosen.
export function FrontFigure() {
  const axes = numeric()
  const measured = objectives().filter((id) => axes.includes(id))
  const single = measured.length < 2
  const [across, up] = single ? [0, measured[0]] : upright(measured.slice(0, 2))
  return (
    <TradeOff
      id="front"
      title={single ? 'Every trial' : 'The front'}
      absent={!measured.length && 'No trial has a value of the objectives yet.'}
      across={across}
      up={up}
      tip={measured}
    />
  )
}

// ComparisonFigure shows what was measured of the front when the search had ended,
// beside the references.
export function ComparisonFigure() {
  const pair = compared()
  return pair && <TradeOff id="compared" title="Beside what people would use" across={pair[0]} up={pair[1]} tip={[]} />
}

function TradeOff(p: { id: string; title: string; absent?: string | false; across: number; up: number; tip: number[] }) {
  const { id, across, up } = p
  const axes = numeric()
  const [x0, y0] = ['x', 'y'].map((of) => chosen(choices.value[`${id}.${of}`], axes))
  const ix = x0 >= 0 ? x0 : y0 === across ? up : across
  const iy = y0 >= 0 ? y0 : x0 === up ? across : up
  const colours = those((c) => (c.kind === 'number' ? c.min !== undefined : c.kind === 'category' && c.values!.length > 1 && c.values!.length <= palette))
  const iz = chosen(choices.value[`${id}.colour`], colours)
  const [x, y] = (!p.absent && kinds() && store.all([ix, iy])?.map(scaled)) || []
  const z = store.column(iz)
  const by = useMemo(() => z && colouring(z), [z])
  const [sx, sy] = [x && spans(x), y && spans(y)]
  const offered = (['most', 'all', 'front'] as const).filter((s) => sx?.[s] || sy?.[s])
  const wanted = choices.value[`${id}.span`] as Span
  const show = offered.includes(wanted) ? wanted : offered[0]
  return (
    <Figure
      id={id}
      title={p.title}
      wide
      absent={p.absent}
      tools={
        <>
          <ColumnChoice label="x" of={`${id}.x`} id={ix} ids={axes} />
          <ColumnChoice label="y" of={`${id}.y`} id={iy} ids={axes} />
          <ColumnChoice label="colour" of={`${id}.colour`} id={iz} ids={colours} none="none" />
          {offered.length > 1 && (
            <Choice
              label="show"
              value={show}
              options={offered.map((s) => [s, { most: 'most values', all: 'all values', front: 'around the front' }[s]])}
              on={(v) => choose(`${id}.span`, v)}
            />
          )}
        </>
      }
    >
      <Lazy height={480}>
        {(width) => x && y && <Scatter x={x} y={y} xSpan={sx?.[show]} ySpan={sy?.[show]} by={by} ids={p.tip} width={width} />}
      </Lazy>
    </Figure>
  )
}
