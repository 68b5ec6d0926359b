// Many polylines, fast: like Field (field.ts) it counts how much of each pixel
// lines cover, and lines can be taken back.

import { cloud, type Frame } from './cloud'
import { Field } from './field'

export class Lines extends Field {
  private drawn = new Set<number>()

  // place gives the height of a row on an axis; at are the axes, whole numbers
  // that rise. Both are in device pixels, as is the thickness.
  constructor(
    f: Frame,
    private at: number[],
    private place: (axis: number, row: number) => number,
    private thick: number,
  ) {
    super(cloud(0, f), new Uint8Array(0), 1)
  }

  // add adds a row's line, or with sign -1 takes it back.
  private add(row: number, sign: number): void {
    const { at, full: count } = this
    const { width, height } = this.cloud
    this.top = 0
    this.bottom = height - 1
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

  // show makes it hold the lines of some rows.
  show(rows: Set<number>): void {
    for (const row of this.drawn) if (!rows.has(row)) this.add(row, -1)
    for (const row of rows) if (!this.drawn.has(row)) this.add(row, 1)
    this.drawn = rows
  }
}
