// All pairs of up to five metrics, or three of them as a cube.

import { useMemo } from 'preact/hooks'
import { useSignal } from '@preact/signals'
import type { Loaded } from './data'
import { Canvas, Choice, Figure, useWidth } from './figure'
import { cut } from './format'
import { of, type Scale } from './scale'
import { choices, choose, mask, store } from './state'
import { css, rgb } from './theme'
import { Brush, type At } from './drag'
import { Cube } from './cube'
import { PlotTip } from './kit'
import { kinds, numeric, room, scaled, spans } from './rows'
import { cast, Dots, dotSize, drawFront, finder, Marks, type Frame } from './scatter'

// columnsOf reads a list of columns from a choice.
export function columnsOf(key: string, otherwise: number[], allowed: number[]): number[] {
  const kept = choices.value[key]
  if (!kept) return otherwise
  const ids = kept.split('\t').map((n) => store.id(n)).filter((id) => allowed.includes(id))
  return ids.length ? [...new Set(ids)] : otherwise
}

export function chooseColumns(key: string, ids: number[]): void {
  choose(key, ids.map((id) => store.view.columns[id].name).join('\t'))
}

// AxisList adds columns to a list and takes them away.
export function AxisList(p: { ids: number[]; allowed: number[]; least: number; most: number; on: (ids: number[]) => void }) {
  const on = (v: string) => {
    const id = Number(v)
    const has = p.ids.includes(id)
    if (v && (has ? p.ids.length > p.least : p.ids.length < p.most)) p.on(has ? p.ids.filter((i) => i !== id) : [...p.ids, id])
  }
  const option = (id: number) => ({ value: String(id), text: (p.ids.includes(id) ? '✓ ' : '\u2003 ') + cut(store.view.columns[id].name, 60) })
  return <Choice label="axes" value="" options={[{ value: '', text: `${p.ids.length} of ${p.allowed.length}` }, ...p.allowed.map(option)]} on={on} />
}

// span is the part of a column that plots without a choice show.
export function span(c: Loaded): [number, number] | undefined {
  const s = spans(c)
  return s.most && room(s.most, c.meta.log, 0.04)
}

// pairIds are the columns of the matrix.
export function pairIds(): number[] {
  const objectives = store.view.goal.objectives.map((o) => o.column).filter((id) => id >= 0)
  return columnsOf('pairs.columns', objectives.slice(0, 5), numeric())
}

export function Pairs() {
  const allowed = numeric()
  const ids = pairIds()
  const solid = ids.length === 3 && choices.value['pairs.view'] === '3d'
  const view = (name: string, text: string) => (
    <button aria-pressed={(name === '3d') === solid} onClick={() => choose('pairs.view', name === '3d' ? name : undefined)}>
      {text}
    </button>
  )
  const kind = kinds()
  const loaded = kind && store.all(ids)?.map((c) => scaled(c))
  return (
    <Figure
      id="pairs"
      title={solid ? 'Three objectives at once' : 'Every pair'}
      wide={ids.length > 3}
      tools={
        <>
          {ids.length === 3 && (
            <span role="group" class="switch">
              {view('pairs', 'pairs')}
              {view('3d', '3-D')}
            </span>
          )}
          <AxisList ids={ids} allowed={allowed} least={2} most={5} on={(to) => chooseColumns('pairs.columns', to)} />
        </>
      }
      note={<span class="screen">{solid ? 'Drag or use the arrow keys to turn; lines drop from the front to the floor.' : 'Drag in any cell to select.'}</span>}
    >
      {loaded && kind && (solid ? <Cube columns={loaded} kind={kind} /> : <Matrix columns={loaded} kind={kind} />)}
    </Figure>
  )
}

const bins = 28

// Bars is a histogram in a frame: of all rows, and of those selected.
class Bars {
  private bin: Uint8Array // of each row, from 1
  private all = new Uint32Array(bins + 1)

  constructor(
    c: Loaded,
    s: Scale,
    private f: Frame,
    kind: Uint8Array,
  ) {
    this.bin = new Uint8Array(c.x.length)
    for (let r = 0; r < kind.length; r++) {
      const b = Math.floor(((s(c.x[r]) - f.left) / (f.right - f.left)) * bins)
      if (kind[r] && b >= 0 && b < bins) this.all[(this.bin[r] = b + 1)]++
    }
  }

  draw(g: CanvasRenderingContext2D): void {
    const { f, all, bin } = this
    const m = mask.value
    const some = m.all ? all : new Uint32Array(bins + 1)
    if (!m.all) for (let r = 0; r < bin.length; r++) some[bin[r]] += m.bits[r]
    const step = (f.right - f.left) / bins
    // Bars end below the name of the column.
    const k = (f.bottom - f.top - 26) / Math.max(...all.subarray(1), 1)
    for (const [counts, colour] of [
      [all, css(rgb('--point'), 0.3)],
      [some, css(rgb('--selected'), 0.75)],
    ] as const) {
      if (m.all && counts === all && colour.includes('/ 0.3')) continue
      g.fillStyle = colour
      for (let b = 0; b < bins; b++) {
        const h = counts[b + 1] ? Math.max(counts[b + 1] * k, 1) : 0
        g.fillRect(f.left + b * step, f.bottom - h, step - 1, h)
      }
    }
  }
}

function Matrix(p: { columns: Loaded[]; kind: Uint8Array }) {
  const [ref, width] = useWidth<HTMLDivElement>()
  const at = useSignal<At | undefined>(undefined)
  const { columns, kind } = p
  const n = columns.length
  const gap = 8
  const left = 52
  const cell = (width - left) / n - gap
  const tall = Math.round(Math.min(cell * 0.8, 220))
  const height = n * (tall + gap) + 24
  const model = useMemo(() => {
    if (cell < 20) return undefined
    const frame = (i: number, j: number): Frame => {
      const x = Math.round(left + j * (cell + gap))
      const y = i * (tall + gap)
      return { width: Math.floor(cell), height: tall, left: x, top: y, right: x + Math.floor(cell), bottom: y + tall, ox: x, oy: y }
    }
    const spans = columns.map(span)
    const across = columns.map((c, j) => of(c, frame(0, j).left + 3, frame(0, j).right - 3, spans[j]))
    const up = columns.map((c, i) => of(c, frame(i, 0).bottom - 3, frame(i, 0).top + 3, spans[i]))
    const cells = columns.flatMap((y, i) =>
      columns.slice(0, i).map((x, j) => {
        const f = frame(i, j)
        const placed = cast(x, y, across[j], up[i], f, kind)
        return { i, j, f, placed, dots: new Dots(placed.cloud, kind, dotSize(placed.shown, true)), find: finder(placed.cloud) }
      }),
    )
    const bars = columns.map((c, i) => new Bars(c, across[i], frame(i, i), kind))
    const draw = (g: CanvasRenderingContext2D) => {
      const m = mask.value
      for (const c of cells) {
        c.dots.draw(g, m, c.f)
        g.save()
        g.beginPath()
        g.rect(c.f.left, c.f.top, c.f.width, c.f.height)
        g.clip()
        drawFront(g, c.placed.cloud, m, 2.5)
        g.restore()
      }
      for (const b of bars) b.draw(g)
    }
    return { cells, across, up, draw, diagonal: columns.map((_, i) => frame(i, i)) }
  }, [...columns, kind, width])
  const ids = columns.map((c) => c.id)
  return (
    <div class="plot pairs" ref={ref} style={{ height: height + 'px' }}>
      {model && (
        <>
          <Canvas width={width} height={height} draw={model.draw} label={`every pair of ${columns.map((c) => c.meta.name).join(', ')}`} />
          <svg class="over" width={width} height={height}>
            {model.diagonal.map((f, i) => (
              <g key={i}>
                <text class="name" x={f.left} y={f.top + 13}>
                  {cut(columns[i].meta.name, Math.max(Math.floor(cell / 7), 3))}
                  {columns[i].meta.unit && <tspan class="unit"> {cut(columns[i].meta.unit, 12)}</tspan>}
                </text>
                <line class="edge" x1={f.left} x2={f.right} y1={f.bottom} y2={f.bottom} />
                <Brush {...f} x={model.across[i]} cx={ids[i]} />
                {model.across[i].ticks(Math.max(2, Math.floor(cell / 70))).map((t) => (
                  <text key={t.x} class="tick" x={model.across[i](t.x)} y={height - 10} text-anchor="middle">
                    {t.text}
                  </text>
                ))}
                {i > 0 &&
                  model.up[i].ticks(Math.max(2, Math.floor(tall / 44))).map((t) => (
                    <text key={t.x} class="tick" x={left - 6} y={model.up[i](t.x)} dy="0.32em" text-anchor="end">
                      {t.text}
                    </text>
                  ))}
              </g>
            ))}
            {model.cells.map((c) => (
              <g key={c.i + ' ' + c.j}>
                <rect class="edge" x={c.f.left + 0.5} y={c.f.top + 0.5} width={c.f.width - 1} height={c.f.height - 1} />
                <Marks cloud={c.placed.cloud} />
                <Brush {...c.f} x={model.across[c.j]} y={model.up[c.i]} cx={ids[c.j]} cy={ids[c.i]} find={c.find} at={at} />
              </g>
            ))}
          </svg>
          <PlotTip at={at} width={width} ids={ids} />
        </>
      )}
    </div>
  )
}
