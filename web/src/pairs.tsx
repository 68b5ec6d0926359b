// All pairs of up to five metrics, or three of them as a cube.

import { useMemo } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import { cast, clip, Dots, dotSize, drawFront, finder, type Frame } from './cloud'
import type { Loaded } from './data'
import { Brush, type At } from './drag'
import { AxisList, Canvas, columnsOf, Figure, Lazy } from './figure'
import { cut } from './format'
import { Cube } from './cube'
import { dot, Marks, RowTip, Ticks } from './plot'
import { kinds, numeric, objectives, scaled, span, upright } from './rows'
import { of, type Scale } from './scale'
import { choices, choose, mask, store } from './state'
import { css, rgb } from './theme'

// pairIds are the columns of the matrix.
export const pairIds = () => columnsOf('pairs.columns', upright(objectives().slice(0, 5)), numeric())

export function Pairs() {
  const ids = pairIds()
  const solid = ids.length === 3 && choices.value['pairs.view'] === '3d'
  const kind = kinds()
  const loaded = kind && store.all(ids)?.map(scaled)
  return (
    <Figure
      id="pairs"
      title={solid ? 'Three at once' : 'Every pair'}
      wide={ids.length > 3}
      tools={
        <>
          {ids.length === 3 && (
            <button aria-pressed={solid} onClick={() => choose('pairs.view', solid ? undefined : '3d')}>
              3-D
            </button>
          )}
          <AxisList of="pairs.columns" ids={ids} allowed={numeric()} most={5} />
        </>
      }
      note={<span class="screen">{solid ? 'Drag or use the arrow keys to turn; lines drop from the front to the floor.' : 'Drag in any cell to select.'}</span>}
    >
      <Lazy height={480}>
        {(width) => loaded && (solid ? <Cube columns={loaded} kind={kind} width={width} /> : <Matrix columns={loaded} kind={kind} width={width} />)}
      </Lazy>
    </Figure>
  )
}

const bins = 28

// bars makes what draws a histogram in a frame: of all rows, and of those
// selected.
function bars(c: Loaded, s: Scale, f: Frame, kind: Uint8Array) {
  const bin = new Uint8Array(kind.length) // of each row, from 1
  const all = new Uint32Array(bins + 1)
  for (let r = 0; r < kind.length; r++) {
    const b = Math.floor(((s(c.x[r]) - f.left) / (f.right - f.left)) * bins)
    if (kind[r] && b >= 0 && b < bins) all[(bin[r] = b + 1)]++
  }
  all[0] = 0
  const step = (f.right - f.left) / bins
  // Bars end below the name of the column.
  const k = (f.bottom - f.top - 26) / Math.max(...all, 1)
  const put = (g: CanvasRenderingContext2D, counts: Uint32Array, style: string) => {
    g.fillStyle = style
    for (let b = 0; b < bins; b++) {
      const h = counts[b + 1] && Math.max(counts[b + 1] * k, 1)
      g.fillRect(f.left + b * step, f.bottom - h, step - 1, h)
    }
  }
  return (g: CanvasRenderingContext2D) => {
    const m = mask.value
    const some = m.all ? all : new Uint32Array(bins + 1)
    if (!m.all) {
      for (let r = 0; r < bin.length; r++) some[bin[r]] += m.bits[r]
      put(g, all, css(rgb('--point'), 0.3))
    }
    put(g, some, css(rgb('--selected'), 0.75))
  }
}

function Matrix({ columns, kind, width }: { columns: Loaded[]; kind: Uint8Array; width: number }) {
  const at = useSignal<At | undefined>(undefined)
  const n = columns.length
  const gap = 8
  const left = 52
  const cell = Math.max((width - left) / n - gap, 20)
  const tall = Math.round(Math.min(cell * 0.8, 220))
  const height = n * (tall + gap) + 24
  const model = useMemo(() => {
    const place = (i: number, j: number): Frame => {
      const x = Math.round(left + j * (cell + gap))
      const y = i * (tall + gap)
      const w = Math.floor(cell)
      return { width: w, height: tall, left: x, top: y, right: x + w, bottom: y + tall, ox: x, oy: y }
    }
    const diagonal = columns.map((_, i) => place(i, i))
    const across = columns.map((c, j) => of(c, diagonal[j].left + 3, diagonal[j].right - 3, span(c)))
    const up = columns.map((c, i) => of(c, diagonal[i].bottom - 3, diagonal[i].top + 3, span(c)))
    const cells = columns.flatMap((y, i) =>
      columns.slice(0, i).map((x, j) => {
        const f = place(i, j)
        const c = cast(x, y, across[j], up[i], f, kind)
        return { i, j, f, c, dots: new Dots(c, kind, dotSize(c.shown, 0.75)), find: finder(c) }
      }),
    )
    const histograms = columns.map((c, i) => bars(c, across[i], diagonal[i], kind))
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      for (const { c, f, dots } of cells) {
        dots.draw(g, m, f)
        clip(g, f, () => drawFront(g, c, m, 2.5))
      }
      for (const h of histograms) h(g)
    }
    return { cells, across, up, draw, diagonal }
  }, [...columns, kind, width])
  const ids = columns.map((c) => c.id)
  return (
    <div class="plot" style={{ height: height + 'px' }}>
      <Canvas width={width} height={height} draw={model.draw} label={`every pair of ${columns.map((c) => c.meta.name).join(', ')}`} />
      <svg class="over" width={width} height={height}>
        {model.diagonal.map((f, i) => (
          <>
            <text class="name" x={f.left} y={f.top + 13}>
              {cut(columns[i].meta.name, Math.max(Math.floor(cell / 7), 3))} <tspan class="unit">{cut(columns[i].meta.unit, 12)}</tspan>
            </text>
            <path class="edge" d={`M${f.left} ${f.bottom}H${f.right}`} />
            <Brush {...f} x={model.across[i]} cx={ids[i]} />
            <Ticks of={model.across[i]} about={cell / 70} y={height - 10} />
            {i > 0 && <Ticks of={model.up[i]} about={tall / 44} x={left - 6} />}
          </>
        ))}
        {model.cells.map(({ i, j, f, c, find }) => (
          <>
            <path class="edge" d={`M${f.left} ${f.top}H${f.right}V${f.bottom}H${f.left}Z`} />
            <Marks mark={dot(c)} />
            <Brush {...f} x={model.across[j]} y={model.up[i]} cx={ids[j]} cy={ids[i]} find={find} at={at} />
          </>
        ))}
      </svg>
      <RowTip at={at} width={width} ids={ids} />
    </div>
  )
}
