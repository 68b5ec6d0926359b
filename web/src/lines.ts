// Many polylines, fast: like Field (field.ts) it counts how much of each pixel
// lines cover, and lines can be taken back.

import { table } from './field'
import type { RGB } from './points'

export class Lines {
  private canvas = document.createElement('canvas')
  private g: CanvasRenderingContext2D
  private image: ImageData
  private out: Uint32Array
  private count: Int32Array
  private drawn = new Set<number>()
  private look = ''
  private colours = table([0, 0, 0], 0)
  private changed = true

  // place gives the height of a row on an axis, in pixels; at are the axes, whole
  // numbers of pixels that rise.
  constructor(
    private width: number,
    private height: number,
    private at: number[],
    private place: (axis: number, row: number) => number,
    private thick: number,
  ) {
    this.canvas.width = width
    this.canvas.height = height
    this.g = this.canvas.getContext('2d', { willReadFrequently: true })!
    this.image = this.g.createImageData(width, height)
    this.out = new Uint32Array(this.image.data.buffer)
    this.count = new Int32Array(width * height)
  }

  // add adds a row's line, or with sign -1 takes it back.
  private add(row: number, sign: number): void {
    const { width, height, at, count } = this
    let y0 = this.place(0, row)
    for (let k = 1; k < at.length; k++) {
      const y1 = this.place(k, row)
      const x0 = at[k - 1]
      const n = at[k] - x0
      const slope = (y1 - y0) / n
      // As tall as makes it look equally thick at every slope.
      const half = (this.thick / 2) * Math.sqrt(1 + slope * slope)
      for (let i = 0; i < n; i++) {
        const y = y0 + slope * (i + 0.5)
        const a = Math.max(y - half, 0)
        const b = Math.min(y + half, height - 1)
        const top = Math.floor(a)
        const bottom = Math.floor(b)
        let p = top * width + x0 + i
        if (top === bottom) count[p] += sign * Math.round(16 * (b - a))
        else {
          count[p] += sign * Math.round(16 * (top + 1 - a))
          for (let j = top + 1; j < bottom; j++) count[(p += width)] += sign * 16
          count[p + width] += sign * Math.round(16 * (b - bottom))
        }
      }
      y0 = y1
    }
  }

  // follow makes it hold the lines of some rows.
  follow(rows: Set<number>): void {
    for (const row of this.drawn) {
      if (rows.has(row)) continue
      this.add(row, -1)
      this.changed = true
    }
    for (const row of rows) {
      if (this.drawn.has(row)) continue
      this.add(row, 1)
      this.changed = true
    }
    this.drawn = rows
  }

  paint(colour: RGB, alpha: number): HTMLCanvasElement {
    const look = `${colour} ${alpha}`
    if (look !== this.look) this.colours = table(colour, alpha)
    if (look !== this.look || this.changed) {
      const { out, count, colours } = this
      const most = colours.length - 1
      for (let i = 0; i < out.length; i++) out[i] = count[i] ? colours[Math.min(count[i], most)] : 0
      this.g.putImageData(this.image, 0, 0)
    }
    this.look = look
    this.changed = false
    return this.canvas
  }
}
