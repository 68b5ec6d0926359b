// What a parameter does to a metric: every trial, and the median and quartiles
// of the trials with about the same value.

import { useMemo } from 'preact/hooks'
import { choices, choose, store } from './state'
import { cut, number, percent, plural, title } from './format'
import { Choice, ColumnChoice, Figure } from './figure'
import { levels, axis, chosen, Lazy, matter, metrics, parameters, Plot, useDots, type Axis } from './kit'
import type { Frame } from './scatter'
import type { Loaded } from './data'

interface Stratum {
  from: number // on a scale from 0 to 1
  to: number
  q: number[] // quartiles
  n: number
}

// strata cuts the rows by x and takes quartiles of y in every part.
function strata(x: Loaded, y: Loaded): Stratum[] {
  const n = x.x.length
  const l = levels(x.meta)
  const parts = l ? l.length : Math.min(Math.max(Math.round(Math.sqrt(n) / 3), 5), 24)
  const s = axis(x, 0, parts)
  const of = new Int16Array(n).fill(-1)
  const start = new Uint32Array(parts + 1)
  for (let r = 0; r < n; r++) {
    const at = s(x.x[r])
    if (Number.isNaN(at) || !Number.isFinite(y.x[r])) continue
    of[r] = Math.min(Math.max(Math.floor(at), 0), parts - 1)
    start[of[r] + 1]++
  }
  for (let k = 0; k < parts; k++) start[k + 1] += start[k]
  const sorted = new Float64Array(start[parts])
  const next = start.slice()
  for (let r = 0; r < n; r++) if (of[r] >= 0) sorted[next[of[r]]++] = y.x[r]
  const out: Stratum[] = []
  for (let k = 0; k < parts; k++) {
    const v = sorted.subarray(start[k], start[k + 1]).sort()
    if (v.length >= (l ? 1 : 4))
      out.push({ from: k / parts, to: (k + 1) / parts, q: [0.25, 0.5, 0.75].map((p) => v[Math.round(p * (v.length - 1))]), n: v.length })
  }
  return out
}

function Marks(p: { parts: Stratum[]; xs: Axis; ys: Axis; left: number; right: number; y: Loaded }) {
  const { ys } = p
  const at = (t: number) => p.left + t * (p.right - p.left)
  if (p.xs.step) {
    // Boxes: the levels have nothing between them.
    const half = Math.min(p.xs.step * 0.36, 26)
    return (
      <g class="boxes">
        {p.parts.map(({ from, to, q, n }) => {
          const mid = at((from + to) / 2)
          return (
            <g key={from}>
              <rect x={mid - half} width={2 * half} y={ys(q[2])} height={Math.max(ys(q[0]) - ys(q[2]), 0)} />
              <line x1={mid - half} x2={mid + half} y1={ys(q[1])} y2={ys(q[1])}>
                <title>{`median ${number(q[1])} ${p.y.meta.unit}, quartiles ${number(q[0])} and ${number(q[2])}, ${plural(n, 'trial')}`}</title>
              </line>
            </g>
          )
        })}
      </g>
    )
  }
  if (!p.parts.length) return null
  const line = (k: number) => p.parts.map(({ from, to, q }) => `${at((from + to) / 2).toFixed(1)},${ys(q[k]).toFixed(1)}`)
  return (
    <g class="boxes">
      <path d={`M${line(0).join('L')}L${line(2).reverse().join('L')}Z`} />
      <polyline points={line(1).join(' ')} />
    </g>
  )
}

function Slice(p: { id: number; y: Loaded; width: number; height: number; large?: boolean; share?: number }) {
  const x = store.column(p.id)
  return x ? <Drawn {...p} x={x} /> : <div style={{ height: p.height + 'px' }} />
}

function Drawn({ x, y, width, height, large, share }: { x: Loaded; y: Loaded; width: number; height: number; large?: boolean; share?: number }) {
  const frame: Frame = { width, height, left: 52, top: large ? 26 : 8, right: width - 12, bottom: height - (large ? 44 : 24) }
  const xs = useMemo(() => axis(x, frame.left, frame.right), [x, width])
  const ys = useMemo(() => axis(y, frame.bottom, frame.top), [y, height])
  const parts = useMemo(() => strata(x, y), [x, y])
  const dots = useDots(x, y, xs, ys, frame)
  const plot = (
    <Plot
      frame={frame}
      x={xs}
      y={ys}
      xTitle={large ? title(x.meta) : undefined}
      yTitle={large ? title(y.meta) : undefined}
      label={`${title(y.meta)} by ${title(x.meta)}`}
      draw={dots.draw}
      find={dots.find}
      cloud={dots.cloud}
      cx={x.id}
      cy={large ? y.id : undefined}
      tip={[y.id, x.id]}
    >
      <Marks parts={parts} xs={xs} ys={ys} left={frame.left} right={frame.right} y={y} />
    </Plot>
  )
  if (large) return plot
  return (
    <div>
      <h4>
        <button class="link" title={`Larger: ${cut(x.meta.name, 500)}`} onClick={() => choose('slice.x', x.meta.name)}>
          {cut(title(x.meta), 36)}
        </button>
        {share !== undefined && <small>{percent(share)}</small>}
      </h4>
      {plot}
    </div>
  )
}

export function Slices() {
  const ys = useMemo(metrics, [])
  const { columns } = store.view
  const yid = chosen(choices.value['slice.y'], ys, ys[0])
  const ids = useMemo(() => parameters(columns[yid]?.name), [yid])
  const one = chosen(choices.value['slice.x'], ids)
  const many = Number(choices.value['slice.n'] ?? 6)
  const shares = matter(columns[yid]?.name)
  const y = store.column(yid)
  return (
    <Figure
      id="slices"
      wide
      title={yid < 0 ? 'What each parameter does' : `What each parameter does to ${cut(title(columns[yid]), 60)}`}
      absent={ids.length === 0 ? 'The space has no parameter that can be drawn.' : columns[yid]?.min === undefined ? 'Nothing was measured.' : ''}
      tools={
        <>
          <ColumnChoice label="metric" id={yid} ids={ys} on={(id) => choose('slice.y', columns[id].name)} />
          <Choice
            label="parameter"
            value={String(one)}
            options={[{ value: '-1', text: 'the most important' }, ...ids.map((id) => ({ value: String(id), text: cut(title(columns[id]), 60) }))]}
            on={(v) => choose('slice.x', columns[Number(v)]?.name)}
          />
        </>
      }
      note="A point is a trial, orange is the front; the line is the median of trials with about the same value, between quartiles. Drag to select."
    >
      {one >= 0 && (
        <Lazy height={360}>{(width) => y && <Slice id={one} y={y} width={width} height={Math.min(360, Math.max(240, width * 0.5))} large />}</Lazy>
      )}
      <div class="facets">
        {ids.slice(0, many).map((id) => (
          <Lazy key={id} height={190}>
            {(width) => y && <Slice id={id} y={y} width={width} height={170} share={shares.get(id)} />}
          </Lazy>
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
