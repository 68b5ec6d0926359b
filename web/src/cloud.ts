// Clouds of points: where the rows stand in a plot, which one is near, and how
// they are drawn.

import type { Loaded } from './data'
import type { Colouring } from './colouring'
import { tints } from './colouring'
import { Field } from './field'
import type { Scale } from './scale'
import { mask, store, type Mask } from './state'
import { colour, css, painted, rgb } from './theme'

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

// frame has room for titles above and below.
export function frame(width: number, height: number, left: number, bottom = 44, top = 30): Frame {
  return { width, height, left, top, right: width - 14, bottom: height - bottom }
}

// margin is the room that the numbers of a vertical axis take.
export function margin(y: Scale, f: { width: number; height: number }): number {
  return Math.min(Math.max(...y.ticks(Math.floor(f.height / 48)).map((t) => t.text.length), 2) * 6.6 + 16, f.width / 3)
}

// ratio is the scale of canvases.
export const ratio = () => Math.min(devicePixelRatio || 1, 2)

// A Cloud is where the rows stand, in device pixels from (ox, oy). Rows without
// a place have x = -1.
export interface Cloud {
  width: number
  height: number
  ox: number
  oy: number
  x: Int16Array
  y: Int16Array
  shown: number // rows inside
  outside: number // rows beyond the ends of the axes
  lacking: number // rows without one of the values
}

export function cloud(n: number, { width, height, ox = 0, oy = 0 }: Frame): Cloud {
  const k = ratio()
  const [x, y] = [0, 0].map(() => new Int16Array(n).fill(-1))
  return { width: Math.round(width * k), height: Math.round(height * k), ox, oy, x, y, shown: 0, outside: 0, lacking: 0 }
}

// spread is where in the width of its level a row is drawn, always the same.
export const spread = (row: number, salt: number) => ((Math.imul(row + salt, 2654435761) >>> 8) & 1023) / 1023 - 0.5

// cast places the rows of some kind by two columns.
export function cast(x: Loaded, y: Loaded, sx: Scale, sy: Scale, f: Frame, kind: Uint8Array): Cloud {
  const c = cloud(kind.length, f)
  const k = ratio()
  const [wx, wy] = [(sx.step ?? 0) * 0.6, (sy.step ?? 0) * 0.6]
  for (let r = 0; r < kind.length; r++) {
    if (!kind[r]) continue
    const px = sx(x.x[r]) + wx * spread(r, 1)
    const py = sy(y.x[r]) + wy * spread(r, 7)
    if (px >= f.left && px <= f.right && py >= f.top && py <= f.bottom) {
      c.x[r] = Math.round((px - c.ox) * k)
      c.y[r] = Math.round((py - c.oy) * k)
      c.shown++
    } else if (px === px && py === py) c.outside++
    else c.lacking++
  }
  return c
}

// spot is where a row stands in the element, or undefined.
export function spot(c: Cloud, row: number): [number, number] | undefined {
  const k = ratio()
  return c.x[row] >= 0 ? [c.x[row] / k + c.ox, c.y[row] / k + c.oy] : undefined
}

export type Find = (x: number, y: number, reach: number) => number // the row at a place, or -1

// finder looks for the nearest point, among the selected ones first.
export function finder(c: Cloud): Find {
  const k = ratio()
  return (x, y, reach) => {
    const m = mask.value
    const nearest = (reach: number, all: boolean) => {
      let best = (reach * k) ** 2
      let at = -1
      for (let r = 0; r < c.x.length; r++) {
        if (c.x[r] < 0 || !(all || m.bits[r])) continue
        const d = (c.x[r] - (x - c.ox) * k) ** 2 + (c.y[r] - (y - c.oy) * k) ** 2
        if (d <= best) {
          best = d
          at = r
        }
      }
      return at
    }
    const near = nearest(reach, m.all)
    return near >= 0 || m.all ? near : nearest(reach / 2, true)
  }
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

  draw(g: CanvasRenderingContext2D, m: Mask, f: Frame, colour = '--selected'): void {
    const { cloud, kind, size, by } = this
    // Only colours by a column are part of a field; others are looked up.
    if (!this.strong || (by && this.theme !== painted.value)) {
      this.strong = new Field(cloud, kind, size, by && tints(by))
      this.strong.follow()
      this.alpha = this.strong.alpha()
      this.theme = painted.value
    }
    const put = (c: HTMLCanvasElement) => g.drawImage(c, cloud.ox, cloud.oy, f.width, f.height)
    const point = rgb('--point')
    if (!m.all) {
      this.base ??= new Field(cloud, kind, size)
      this.base.follow()
      put(this.base.paint(point, point, this.alpha * 0.3))
    }
    this.strong.follow(m.all ? undefined : m.bits)
    put(this.strong.paint(rgb(colour), rgb(m.all ? '--point' : colour), this.alpha))
  }
}

// dotSize is the diameter of n points, in device pixels.
export function dotSize(n: number, small = 1): number {
  return Math.round((n > 20_000 ? 3 : n > 2_000 ? 4 : n > 300 ? 5 : 7) * small * ratio())
}

// clip lets something be drawn inside a frame only.
export function clip(g: CanvasRenderingContext2D, f: Frame, draw: () => void): void {
  g.save()
  g.beginPath()
  g.rect(f.left, f.top, f.right - f.left, f.bottom - f.top)
  g.clip()
  g.beginPath()
  draw()
  g.restore()
}

// drawFront draws the points of the front, the selected ones stronger.
export function drawFront(g: CanvasRenderingContext2D, c: Cloud, m: Mask, radius: number): void {
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
