// What a parameter does to a metric: every trial, and the median and quartiles
// of the trials with about the same value.

import { useMemo } from 'preact/hooks'
import { choices, choose, store } from './state'
import { cut, number, percent, plural, title } from './format'
import { ColumnChoice, Figure, Lazy } from './figure'
import { cast, Dots, dotSize, drawFront, finder, frame, type Cloud, type Find, type Frame } from './cloud'
import { line, Plot } from './plot'
import { axis, chosen, kinds, levels, matter, metrics, parameters, scaled } from './rows'
import { clamp, quantile, type Scale } from './scale'
import { mask } from './state'
import type { Draw } from './figure'
import type { Loaded } from './data'

// drawDots draws the measured rows as points in two columns. On a coloured ground
// they are small and dark, as ink.
export function drawDots(x: Loaded, y: Loaded, xs: Scale, ys: Scale, f: Frame, ink?: string): { cloud: Cloud; draw: Draw; find: Find } {
  const kind = kinds() ?? new Uint8Array(x.x.length)
  const c = cast(x, y, xs, ys, f, kind)
  const dots = new Dots(c, kind, dotSize(c.shown, ink ? 0.5 : 0.75))
  const draw = (g: CanvasRenderingContext2D) => {
    const m = mask.value
    dots.draw(g, m, f, m.all ? ink : undefined)
    drawFront(g, c, m, store.view.front.rows.length > 80 ? 2 : 3)
  }
  return { cloud: c, draw, find: finder(c) }
}

interface Stratum {
  at: number // its middle, on a scale from 0 to 1
  q: number[] // quartiles
  n: number
}

// strata cuts the rows by x and takes quartiles of y in every part.
function strata(x: Loaded, y: Loaded): Stratum[] {
  const n = x.x.length
  const l = levels(x.meta)
  const parts = l ? l.length : clamp(Math.round(Math.sqrt(n) / 3), 5, 24)
  const s = axis(x, 0, parts)
  const values: number[][] = Array.from({ length: parts }, () => [])
  for (let r = 0; r < n; r++) {
    const at = s(x.x[r])
    if (at === at && Number.isFinite(y.x[r])) values[clamp(Math.floor(at), 0, parts - 1)].push(y.x[r])
  }
  return values.flatMap((v, k) => {
    if (v.length < (l ? 1 : 4)) return []
    const sorted = Float64Array.from(v).sort()
    return [{ at: (k + 0.5) / parts, q: [0.25, 0.5, 0.75].map((p) => quantile(sorted, p)), n: v.length }]
  })
}

function Slice(p: { id: number; y: Loaded; width: number; height: number; large?: boolean }) {
  const x = store.column(p.id)
  return x ? <Drawn {...p} x={x} /> : null
}

function Drawn({ x, y, width, height, large }: { x: Loaded; y: Loaded; width: number; height: number; large?: boolean }) {
  const model = useMemo(() => {
    const f = frame(width, height, 52, large ? 44 : 24, large ? 30 : 8)
    const [xs, ys] = [axis(x, f.left, f.right), axis(y, f.bottom, f.top)]
    return { f, xs, ys, parts: strata(x, y), ...drawDots(x, y, xs, ys, f) }
  }, [x, y, width, kinds()])
  const { f, xs, ys, parts } = model
  const at = (t: number) => f.left + t * (f.right - f.left)
  const half = Math.min((xs.step ?? 0) * 0.36, 26)
  const path = (k: number) => parts.map((s): [number, number] => [at(s.at), ys(s.q[k])])
  return (
    <Plot
      frame={f}
      x={xs}
      y={ys}
      xTitle={large ? title(x.meta) : ''}
      yTitle={large ? title(y.meta) : ''}
      label={`${title(y.meta)} by ${title(x.meta)}`}
      draw={model.draw}
      find={model.find}
      cloud={model.cloud}
      cx={x.id}
      cy={large ? y.id : undefined}
      tip={[y.id, x.id]}
    >
      <g class="boxes">
        {/* Boxes: levels have nothing between them. */}
        {half > 0 ? (
          parts.map(({ at: t, q, n }) => (
            <>
              <rect x={at(t) - half} width={2 * half} y={ys(q[2])} height={Math.max(ys(q[0]) - ys(q[2]), 0)} />
              <path d={`M${at(t) - half} ${ys(q[1])}h${2 * half}`}>
                <title>{`median ${number(q[1])} ${y.meta.unit}, quartiles ${number(q[0])} and ${number(q[2])}, ${plural(n, 'trial')}`}</title>
              </path>
            </>
          ))
        ) : (
          <>
            <path class="area" d={parts.length ? line([...path(0), ...path(2).reverse()]) : ''} />
            <path d={parts.length ? line(path(1)) : ''} />
          </>
        )}
      </g>
    </Plot>
  )
}

export function Slices() {
  const ys = metrics()
  const { columns } = store.view
  const yid = chosen(choices.value['slice.y'], ys, ys[0])
  const ids = parameters(columns[yid]?.name)
  const one = chosen(choices.value['slice.x'], ids)
  const many = Number(choices.value['slice.n'] ?? 6)
  const shares = matter(columns[yid]?.name)
  const y = (kinds() && store.all([yid ?? -1]))?.map(scaled)[0]
  return (
    <Figure
      id="slices"
      wide
      title={'What each parameter does' + (columns[yid] ? ` to ${cut(title(columns[yid]), 60)}` : '')}
      absent={!ids.length ? 'The space has no parameter that can be drawn.' : columns[yid]?.min === undefined && 'Nothing was measured.'}
      tools={
        <>
          <ColumnChoice label="metric" of="slice.y" id={yid} ids={ys} />
          <ColumnChoice label="parameter" of="slice.x" id={one} ids={ids} none="the most important" />
        </>
      }
      note="A point is a trial, orange is the front; the line is the median of trials with about the same value, between quartiles. Drag to select."
    >
      {one >= 0 && <Lazy height={360}>{(width) => y && <Slice id={one} y={y} width={width} height={clamp(width * 0.5, 240, 360)} large />}</Lazy>}
      <div class="facets">
        {ids.slice(0, many).map((id) => (
          <div key={id}>
            <h4>
              <button class="link" title={`Larger: ${cut(columns[id].name, 500)}`} onClick={() => choose('slice.x', columns[id].name)}>
                {cut(title(columns[id]), 36)}
              </button>
              <small>{percent(shares.get(id) ?? NaN)}</small>
            </h4>
            <Lazy height={170}>{(width) => y && <Slice id={id} y={y} width={width} height={170} />}</Lazy>
          </div>
        ))}
      </div>
      {ids.length > many && (
        <button class="plain tools" onClick={() => choose('slice.n', String(many + 6))}>
          {number(Math.min(6, ids.length - many))} more of {plural(ids.length, 'parameter')}
        </button>
      )}
    </Figure>
  )
}
