// A field counts, for every pixel, how much of it the points of a cloud cover.
// Counts can be taken back, so that a selection that changes costs only the
// points that changed; colours are looked up by count, which gives the same
// picture as blending the points one over the other.

import type { Cloud } from './cloud'
import { clamp } from './scale'
import { pack, type RGB } from './theme'

// A Stamp is the shape of a point: of every place around its middle the offset
// and how much of it is covered, in sixteenths.
type Stamp = Int32Array

const most = 4095 // larger counts look the same

// stamp makes a disc of a diameter in pixels, with a hole of another.
function stamp(size: number, width: number, hole: number): Stamp {
  const reach = Math.ceil(size / 2)
  const out: number[] = []
  for (let y = -reach; y <= reach; y++) {
    for (let x = -reach; x <= reach; x++) {
      let w = 0
      for (let k = 0; k < 16; k++) {
        const d = 2 * Math.hypot(x + ((k & 3) - 1.5) / 4, y + ((k >> 2) - 1.5) / 4)
        if (d <= size && d >= hole) w++
      }
      if (w) out.push(y * width + x, w)
    }
  }
  return Int32Array.from(out)
}

// table gives the colour of every count for points of an opacity.
function table(colour: RGB, alpha: number): Uint32Array {
  const log = Math.log(1 - Math.min(alpha, 0.995)) / 16
  return Uint32Array.from({ length: most + 1 }, (_, k) => (k ? pack(colour, Math.round(255 * (1 - Math.exp(k * log)))) : 0))
}

export class Field {
  readonly canvas = document.createElement('canvas')
  private g: CanvasRenderingContext2D
  private image: ImageData
  private out: Uint32Array
  protected full: Int32Array // covered by the points of kind 1
  private hollow: Int32Array // and of kind 2
  private sums: Int32Array[] // of their colours
  private was: Uint8Array
  private stamps: Stamp[]
  private reach: number
  protected top = 0 // the lines of pixels that changed
  protected bottom = 0
  private look = ''
  private discs: Uint32Array | undefined
  private rings: Uint32Array | undefined

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
    const counts = () => new Int32Array(width * height)
    this.full = counts()
    this.hollow = kind.includes(2) ? counts() : this.full
    this.sums = tint ? [counts(), counts(), counts()] : []
    this.was = new Uint8Array(cloud.x.length)
    const ring = Math.max(size, 3)
    this.stamps = [stamp(size, width, 0), stamp(ring, width, Math.max(ring - Math.max(2, ring / 2.5), 1))]
    this.reach = Math.ceil(ring / 2)
    this.clean()
  }

  private clean(): void {
    this.top = this.cloud.height
    this.bottom = -1
  }

  // stale says that every pixel may have changed.
  private stale(): void {
    this.top = 0
    this.bottom = this.cloud.height - 1
  }

  // reset forgets all points, for when the cloud has moved.
  reset(): void {
    for (const a of [this.full, this.hollow, ...this.sums, this.was]) a.fill(0)
    this.stale()
  }

  // follow makes the field hold the rows with bit 1; without bits all.
  follow(bits?: Uint8Array): void {
    const { was, kind, cloud, sums, tint, reach } = this
    const { x, y, width, height } = cloud
    for (let row = 0; row < was.length; row++) {
      const bit = bits ? bits[row] : 1
      if (bit === was[row]) continue
      was[row] = bit
      const k = kind[row]
      const px = x[row]
      const py = y[row]
      if (!k || px < reach || py < reach || px >= width - reach || py >= height - reach) continue
      this.top = Math.min(this.top, py - reach)
      this.bottom = Math.max(this.bottom, py + reach)
      const to = k === 1 ? this.full : this.hollow
      const at = py * width + px
      const stamp = this.stamps[k - 1]
      for (let o = 0; o < stamp.length; o += 2) {
        const i = at + stamp[o]
        const w = bit ? stamp[o + 1] : -stamp[o + 1]
        to[i] += w
        for (let c = 0; c < sums.length; c++) sums[c][i] += w * ((tint![row] >> (8 * c)) & 255)
      }
    }
  }

  // alpha is the opacity with which the densest parts just about saturate.
  alpha(): number {
    const seen = new Uint32Array(1025)
    for (const c of this.full) if (c > 0) seen[Math.min(c >> 4, 1024)]++
    let left = seen.reduce((a, b) => a + b) * 0.01
    let k = 1024
    for (; k > 1 && left >= seen[k]; k--) left -= seen[k]
    return clamp(1 - 0.06 ** (1 / k), 0.1, 0.75)
  }

  // paint colours the pixels that changed and returns the picture.
  paint(colour: RGB, ring: RGB, alpha: number): HTMLCanvasElement {
    const look = `${colour} ${ring} ${alpha}`
    if (look !== this.look) {
      this.look = look
      this.discs = table(colour, alpha)
      this.rings = table(ring, Math.min(alpha, 0.6))
      this.stale()
    }
    const { out, full, hollow, sums } = this
    const { width, height } = this.cloud
    const top = Math.max(this.top, 0)
    const bottom = Math.min(this.bottom, height - 1)
    for (let i = top * width; i < (bottom + 1) * width; i++) {
      const f = full[i]
      const h = hollow[i]
      let v = f ? this.discs![f > most ? most : f] : h ? this.rings![h > most ? most : h] : 0
      if (v && sums.length) {
        const n = f + (hollow === full ? 0 : h)
        v = ((v & 0xff000000) | ((sums[2][i] / n) << 16) | ((sums[1][i] / n) << 8) | (sums[0][i] / n)) >>> 0
      }
      out[i] = v
    }
    if (bottom >= top) this.g.putImageData(this.image, 0, 0, 0, top, width, bottom - top + 1)
    this.clean()
    return this.canvas
  }
}
