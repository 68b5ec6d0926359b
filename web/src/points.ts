// Many points, fast: they are written into a buffer of pixels, which takes about
// a hundredth of the time that drawing them one by one would.

// A Cloud is where the points of a plot stand, in device pixels. Points without
// a place have x = -1.
export interface Cloud {
  width: number
  height: number
  x: Int16Array
  y: Int16Array
}

export function cloud(n: number, width: number, height: number): Cloud {
  return { width, height, x: new Int16Array(n).fill(-1), y: new Int16Array(n).fill(-1) }
}

export type RGB = [number, number, number]

// A Layer is a set of points drawn alike. Later layers are on top.
export interface Layer {
  rows?: ArrayLike<number> // only these; all without
  keep?: (row: number) => boolean
  bits?: Uint8Array // only rows with this value of bits
  bit?: number
  colour: RGB | ((row: number) => number) // a function returns 0xAABBGGRR
  alpha: number // 0 to 1
  size: number // side of the square, or diameter from 4 on, in device pixels
}

const little = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1

export function pack([r, g, b]: RGB, a = 255): number {
  return (little ? (a << 24) | (b << 16) | (g << 8) | r : (r << 24) | (g << 16) | (b << 8) | a) >>> 0
}

// disc lists the offsets of the pixels of a point.
function disc(size: number): [number, number][] {
  const out: [number, number][] = []
  const r = size / 2
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      if (size < 4 || (x + 0.5 - r) ** 2 + (y + 0.5 - r) ** 2 <= r * r) out.push([x - (size >> 1), y - (size >> 1)])
    }
  }
  return out
}

// paint draws layers into an image of the cloud's size, over what is there.
// Points blend where they overlap, so that dense places look denser.
export function paint(image: ImageData, c: Cloud, layers: Layer[]): void {
  const { width, height } = c
  const data = image.data
  for (const layer of layers) {
    const shape = disc(Math.max(1, Math.round(layer.size)))
    const reach = Math.ceil(layer.size / 2) + 1
    const offsets = shape.map(([dx, dy]) => (dy * width + dx) * 4)
    const plain = typeof layer.colour === 'function' ? undefined : layer.colour
    const by = typeof layer.colour === 'function' ? layer.colour : undefined
    const a = layer.alpha
    const n = layer.rows ? layer.rows.length : c.x.length
    let r = plain ? plain[0] : 0
    let g = plain ? plain[1] : 0
    let b = plain ? plain[2] : 0
    for (let k = 0; k < n; k++) {
      const row = layer.rows ? layer.rows[k] : k
      if (layer.bits && layer.bits[row] !== (layer.bit ?? 1)) continue
      if (layer.keep && !layer.keep(row)) continue
      const x = c.x[row]
      const y = c.y[row]
      if (x < reach || y < reach || x >= width - reach || y >= height - reach) continue
      if (by) {
        const p = by(row)
        r = p & 255
        g = (p >> 8) & 255
        b = (p >> 16) & 255
      }
      const at = (y * width + x) * 4
      for (let o = 0; o < offsets.length; o++) {
        const i = at + offsets[o]
        const under = (data[i + 3] / 255) * (1 - a)
        const sum = a + under
        data[i] = (r * a + data[i] * under) / sum
        data[i + 1] = (g * a + data[i + 1] * under) / sum
        data[i + 2] = (b * a + data[i + 2] * under) / sum
        data[i + 3] = sum * 255
      }
    }
  }
}

// nearest returns the row whose point is nearest to a place, within reach
// pixels, or -1.
export function nearest(c: Cloud, x: number, y: number, reach: number, bits?: Uint8Array): number {
  let best = reach * reach
  let at = -1
  for (let row = 0; row < c.x.length; row++) {
    if (c.x[row] < 0 || (bits && !bits[row])) continue
    const d = (c.x[row] - x) ** 2 + (c.y[row] - y) ** 2
    if (d <= best) {
      best = d
      at = row
    }
  }
  return at
}
