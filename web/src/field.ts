// A field counts, for every pixel, how much of it the points of a cloud cover.
// Counts can be taken back, so that a selection that changes costs only the
// points that changed; colours are looked up by count, which gives the same
// picture as blending the points one over the other.

import type { Cloud, RGB } from './points'
import { pack } from './points'

// A Stamp is the shape of a point: places around its middle and how much of
// each is covered, in sixteenths.
interface Stamp {
  offsets: Int32Array
  weights: Int32Array
  reach: number
}

const most = 4095 // larger counts look the same

// stamp makes a disc, or with hollow a ring, of a diameter in pixels.
function stamp(size: number, width: number, hollow: boolean): Stamp {
  const r = size / 2
  const inner = hollow ? Math.max(r - Math.max(1, size / 5), 0.5) : 0
  const reach = Math.ceil(r)
  const offsets: number[] = []
  const weights: number[] = []
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      let w = 0
      for (let k = 0; k < 16; k++) {
        const d = Math.hypot(x + ((k & 3) - 1.5) / 4, y + ((k >> 2) - 1.5) / 4)
        if (d <= r && d >= inner) w++
      }
      if (w) {
        offsets.push(y * width + x)
        weights.push(w)
      }
    }
  }
  return { offsets: Int32Array.from(offsets), weights: Int32Array.from(weights), reach }
}

// table gives the colour of every count for points of an opacity.
export function table(colour: RGB, alpha: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(most + 1)
  const log = Math.log(1 - Math.min(alpha, 0.995)) / 16
  for (let k = 1; k <= most; k++) out[k] = pack(colour, Math.round(255 * (1 - Math.exp(k * log))))
  return out
}

export class Field {
  readonly canvas = document.createElement('canvas')
  private g: CanvasRenderingContext2D
  private image: ImageData
  private out: Uint32Array
  protected full: Int32Array // covered by the points of kind 1
  private hollow: Int32Array | undefined // and of kind 2
  private sums: Int32Array[] | undefined // of their colours
  private was: Uint8Array
  private stamps: Stamp[]
  protected top = 0 // the lines of pixels that changed
  protected bottom = 0
  private look = ''
  private discs = table([0, 0, 0], 0)
  private rings = this.discs

  // kind is 0 for rows that are not drawn, 1 for a disc and 2 for a ring. tint
  // gives rows colours of their own; pixels show the mean.
  constructor(
    readonly cloud: Cloud,
    private kind: Uint8Array,
    size: number,
    private tint?: Uint32Array,
  ) {
    const { width, height } = cloud
    this.canvas.width = width
    this.canvas.height = height
    this.g = this.canvas.getContext('2d', { willReadFrequently: true })!
    this.image = this.g.createImageData(width, height)
    this.out = new Uint32Array(this.image.data.buffer)
    this.full = new Int32Array(width * height)
    this.was = new Uint8Array(cloud.x.length)
    this.stamps = [stamp(size, width, false), stamp(Math.max(size, 3), width, true)]
    if (tint) this.sums = [0, 1, 2].map(() => new Int32Array(width * height))
    this.clean()
  }

  private clean(): void {
    this.top = this.cloud.height
    this.bottom = -1
  }

  // reset forgets all points, for when the cloud has moved.
  reset(): void {
    for (const a of [this.full, this.hollow, ...(this.sums ?? [])]) a?.fill(0)
    this.was.fill(0)
    this.top = 0
    this.bottom = this.cloud.height - 1
  }

  // follow makes the field hold the rows with bit 1; without bits all.
  follow(bits?: Uint8Array): void {
    const { was, kind, cloud, sums, tint } = this
    const { x, y, width, height } = cloud
    for (let row = 0; row < was.length; row++) {
      const bit = bits ? bits[row] : 1
      if (bit === was[row]) continue
      was[row] = bit
      const k = kind[row]
      const px = x[row]
      if (!k || px < 0) continue
      const py = y[row]
      const { offsets, weights, reach } = this.stamps[k - 1]
      if (px < reach || py < reach || px >= width - reach || py >= height - reach) continue
      if (py - reach < this.top) this.top = py - reach
      if (py + reach > this.bottom) this.bottom = py + reach
      const to = k === 1 ? this.full : (this.hollow ??= new Int32Array(width * height))
      const at = py * width + px
      for (let o = 0; o < offsets.length; o++) to[at + offsets[o]] += bit ? weights[o] : -weights[o]
      if (!sums) continue
      const t = tint![row]
      for (let c = 0; c < 3; c++) {
        const v = ((t >> (8 * c)) & 255) * (bit ? 1 : -1)
        const s = sums[c]
        for (let o = 0; o < offsets.length; o++) s[at + offsets[o]] += v * weights[o]
      }
    }
  }

  // alpha is the opacity with which the densest parts just about saturate.
  alpha(): number {
    const seen = new Uint32Array(1025)
    let n = 0
    for (const c of this.full) {
      if (c > 0) {
        n++
        seen[Math.min(c >> 4, 1024)]++
      }
    }
    let k = 1024
    for (let left = n * 0.01; k > 1 && left >= seen[k]; k--) left -= seen[k]
    return Math.min(Math.max(1 - 0.06 ** (1 / k), 0.1), 0.75)
  }

  // paint colours the pixels that changed and returns the picture.
  paint(colour: RGB, ring: RGB, alpha: number): HTMLCanvasElement {
    const look = `${colour} ${ring} ${alpha}`
    if (look !== this.look) {
      this.look = look
      this.discs = table(colour, alpha)
      this.rings = table(ring, Math.min(alpha, 0.6))
      this.top = 0
      this.bottom = this.cloud.height - 1
    }
    if (this.bottom < this.top) return this.canvas
    const { out, full, hollow, sums, discs, rings } = this
    const { width, height } = this.cloud
    const top = Math.max(this.top, 0)
    const bottom = Math.min(this.bottom, height - 1)
    for (let i = top * width; i < (bottom + 1) * width; i++) {
      const f = full[i]
      const h = hollow ? hollow[i] : 0
      if (!(f | h)) {
        out[i] = 0
        continue
      }
      if (sums) {
        const a = f ? discs[f > most ? most : f] : rings[h > most ? most : h]
        const n = f + h
        out[i] = ((a & 0xff000000) | ((sums[2][i] / n) << 16) | ((sums[1][i] / n) << 8) | (sums[0][i] / n)) >>> 0
      } else out[i] = f ? discs[f > most ? most : f] : rings[h > most ? most : h]
    }
    this.g.putImageData(this.image, 0, 0, 0, top, width, bottom - top + 1)
    this.clean()
    return this.canvas
  }

}
