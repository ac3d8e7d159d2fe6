// Makes small PNG files of screenshots: one picture, or several that move (APNG). They have a palette;
// of a further picture, only the pixels that differ from the one before are stored.
// https://www.w3.org/TR/png-3/
import { crc32, deflateSync, inflateSync } from 'node:zlib'

const SIGNATURE = Buffer.from('89504e470d0a1a0a', 'hex')
const MAX_COLORS = 255 // and the transparent one
const ALIKE = 0xf0f0f0 // the bits in which colors differ that do not look alike
const PALETTE = 3 // a color type
const [SOURCE, OVER] = [0, 1] // a frame replaces pixels, or lies over them

/** frames: [{png, at}], where `at` is in milliseconds. Returns the file's bytes. */
export function smallPng (frames, lastMs = 0) {
  const parts = changes(frames.map(({ png, at }) => ({ ...decoded(png), at })))
  const { colors, indexOf } = palette(parts)
  const { width, height } = parts[0]
  const end = frames.at(-1).at + lastMs
  let sequence = 0
  const pictures = parts.flatMap((part, index) => {
    const data = deflateSync(rows(part, indexOf), { level: 9, memLevel: 9 })
    if (parts.length === 1) return [chunk('IDAT', data)]
    const delay = (parts[index + 1]?.at ?? end) - part.at
    const control = chunk('fcTL', frameControl(sequence++, part, delay, index ? OVER : SOURCE))
    return [control, index ? chunk('fdAT', Buffer.concat([uint32(sequence++), data])) : chunk('IDAT', data)]
  })
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', Buffer.concat([uint32(width), uint32(height), Buffer.from([8, PALETTE, 0, 0, 0])])),
    ...(parts.length > 1 ? [chunk('acTL', Buffer.concat([uint32(parts.length), uint32(0)]))] : []),
    chunk('PLTE', Buffer.from([0, 0, 0, ...colors.flatMap((color) => [color >> 16, (color >> 8) & 255, color & 255])])),
    chunk('tRNS', Buffer.from([0])),
    ...pictures,
    chunk('IEND', Buffer.alloc(0))
  ])
}

/** The colors of a PNG as Chromium writes it: 8 bits, RGB or RGBA, not interlaced. */
export function decoded (png) {
  let header
  const data = []
  for (let at = SIGNATURE.length; at < png.length;) {
    const size = png.readUInt32BE(at)
    const name = png.toString('latin1', at + 4, at + 8)
    const body = png.subarray(at + 8, at + 8 + size)
    if (name === 'IHDR') header = body
    if (name === 'IDAT') data.push(body)
    at += size + 12
  }
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)]
  const step = header[9] === 6 ? 4 : 3
  const bytes = unfiltered(inflateSync(Buffer.concat(data)), width * step, step)
  const pixels = new Uint32Array(width * height)
  for (let at = 0; at < pixels.length; at++) pixels[at] = bytes.readUIntBE(at * step, 3)
  return { width, height, pixels }
}

function unfiltered (data, length, step) {
  const rows = data.length / (length + 1)
  const result = Buffer.alloc(length * rows)
  for (let row = 0; row < rows; row++) {
    const filter = data[row * (length + 1)]
    for (let x = 0; x < length; x++) {
      const to = row * length + x
      const left = x < step ? 0 : result[to - step]
      const up = row ? result[to - length] : 0
      const corner = x < step || !row ? 0 : result[to - length - step]
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]
      result[to] = data[row * (length + 1) + 1 + x] + guess
    }
  }
  return result
}

function paeth (left, up, corner) {
  const [a, b, c] = [left, up, corner].map((each) => Math.abs(left + up - corner - each))
  if (a <= b && a <= c) return left
  return b <= c ? up : corner
}

/** The parts of pictures that differ from those before: {left, top, width, height, at, pixels}. */
function changes (pictures) {
  const parts = []
  let before
  for (const { width, height, pixels, at } of pictures) {
    const part = before ? changed(before, pixels, width) : { left: 0, top: 0, width, height, pixels: [...pixels] }
    if (part) parts.push({ ...part, at })
    before = pixels
  }
  return parts
}

function changed (before, pixels, width) {
  let [left, right, top, bottom] = [width, -1, -1, -1]
  for (let at = 0; at < pixels.length; at++) {
    if (pixels[at] === before[at]) continue
    left = Math.min(left, at % width)
    right = Math.max(right, at % width)
    bottom = Math.floor(at / width)
    if (top < 0) top = bottom
  }
  if (right < 0) return null
  const size = { width: right - left + 1, height: bottom - top + 1 }
  const found = Array.from({ length: size.width * size.height }, (_, index) => {
    const at = (top + Math.floor(index / size.width)) * width + left + index % size.width
    return pixels[at] === before[at] ? null : pixels[at] // null: transparent
  })
  return { left, top, ...size, pixels: found }
}

/** The most frequent colors; after the first half, at most one of those that look alike. */
function palette (parts) {
  const counts = new Map()
  for (const { pixels } of parts) {
    for (const color of pixels) if (color !== null) counts.set(color, (counts.get(color) ?? 0) + 1)
  }
  const ranked = [...counts].sort(([, a], [, b]) => b - a).map(([color]) => color)
  const families = new Map(ranked.toReversed().map((color) => [color & ALIKE, color]))
  const rare = ranked.filter((color) => families.get(color & ALIKE) === color)
  const colors = [...new Set([...ranked.slice(0, MAX_COLORS / 2), ...rare])].slice(0, MAX_COLORS)
  const known = new Map(colors.map((color, index) => [color, index + 1]))
  const indexOf = (color) => {
    if (color === null) return 0
    if (!known.has(color)) known.set(color, known.get(nearest(colors, color)))
    return known.get(color)
  }
  return { colors, indexOf }
}

function nearest (colors, color) {
  const distance = (other) => [16, 8, 0]
    .reduce((sum, bits) => sum + (((color >> bits) & 255) - ((other >> bits) & 255)) ** 2, 0)
  return colors.reduce((best, other) => distance(other) < distance(best) ? other : best)
}

function rows ({ width, height, pixels }, indexOf) {
  const result = Buffer.alloc((width + 1) * height) // each row begins with its filter: none
  pixels.forEach((color, at) => { result[Math.floor(at / width) * (width + 1) + 1 + at % width] = indexOf(color) })
  return result
}

function frameControl (number, { left, top, width, height }, delay, blending) {
  const milliseconds = Buffer.alloc(4)
  milliseconds.writeUInt16BE(Math.round(delay), 0)
  milliseconds.writeUInt16BE(1000, 2)
  return Buffer.concat([...[number, width, height, left, top].map(uint32), milliseconds, Buffer.from([0, blending])])
}

function chunk (name, data) {
  const named = Buffer.concat([Buffer.from(name), data])
  return Buffer.concat([uint32(data.length), named, uint32(crc32(named))])
}

function uint32 (number) {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(number)
  return bytes
}
