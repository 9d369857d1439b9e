import { allocateBytes, ByteWriter } from '@h2channel/codecs'

/** Unit: bytes. */
const slabSize = 64 * 1024
/** What is left of a slab is used again unless it is shorter than this. Unit: bytes. */
const smallestRest = 1_024
/** How many rests are kept for all channels together. */
const mostRests = 16
/**
 * What a channel begins with while this many others hold slabs: in a turn that writes a little to each of thousands, slabs
 * would be garbage of 64 KiB each. Unit: bytes.
 */
const smallSize = 1_000
/** How much is kept of buffers for larger messages, for all channels together. Unit: bytes. */
const mostLarge = 4 * 1024 * 1024

/**
 * The unused ends of slabs, and slabs that are free again. A channel takes one when it begins to write and gives back what
 * it left.
 */
const rests: Uint8Array<ArrayBuffer>[] = []
/** Larger buffers that are free again. A large message would have one of its own each time, and V8 collects all garbage after a few of them. */
const large: Uint8Array<ArrayBuffer>[] = []
let largeBytes = 0
/** How many channels hold memory now. */
let holders = 0

/**
 * What a channel has encoded and not sent yet. It holds memory only between the first message of a turn and the flush, so
 * that an idle channel costs nothing, and what it hands out is not written again before the conn has released it (see
 * {@link recycle}), so that nobody has to copy it.
 */
export class OutBuffer extends ByteWriter {
  constructor() {
    super(0)
  }

  /** Whether so little room is left that it is better to flush than to move what is there. */
  get isNearlyFull(): boolean {
    return this.bytes.length > smallSize && this.bytes.length - this.position < smallestRest
  }

  /** Gives away what was written, be it nothing. It belongs to the caller from then on. */
  take(): Uint8Array {
    const taken = this.written()
    // However short, the rest of a larger buffer would keep all of it.
    if (this.bytes.buffer.byteLength <= slabSize) keepRest(this.bytes.subarray(this.position))
    if (this.bytes.length > 0) holders -= 1
    this.position = 0
    this.replace(nothing)
    return taken
  }

  protected override grow(size: number): void {
    const needed = this.position + size
    const before = this.bytes
    const isFirst = before.length === 0
    const free = before.length <= smallSize || needed > slabSize ? takeFree(needed) : undefined
    const isSmall = isFirst && holders >= mostRests && needed <= smallSize
    this.replace(free ?? allocateBytes(isSmall ? smallSize : Math.max(slabSize, needed, before.length * 2)))
    if (isFirst) holders += 1
    // What stood there has moved, and was handed to nobody.
    if (before.buffer.byteLength <= slabSize) keepRest(before)
  }
}

/** Whether nothing but `taken` lies in its memory, or ever will. */
export function isWhole(taken: Uint8Array): boolean {
  const { byteLength } = taken.buffer
  if (taken.byteOffset > 0 || byteLength < slabSize) return false
  return byteLength > slabSize || byteLength - taken.length < smallestRest
}

/** Uses the memory of what was taken again: nobody may refer to it any more, and {@link isWhole} must have said so. */
export function recycle({ buffer }: Uint8Array): void {
  if (!(buffer instanceof ArrayBuffer)) return
  if (buffer.byteLength <= slabSize) keepRest(new Uint8Array(buffer))
  else if (buffer.byteLength <= mostLarge) {
    // The oldest go: they may be of a size that nobody needs any more.
    while (large.length > 0 && largeBytes + buffer.byteLength > mostLarge) largeBytes -= large.shift()?.length ?? 0
    largeBytes += buffer.byteLength
    large.push(new Uint8Array(buffer))
  }
}

function keepRest(rest: Uint8Array<ArrayBuffer>): void {
  if (rest.length >= smallestRest && rests.length < mostRests) rests.push(rest)
}

function takeFree(needed: number): Uint8Array<ArrayBuffer> | undefined {
  if (needed > slabSize) return takeLarge(needed)
  const rest = rests.pop()
  return rest !== undefined && rest.length >= needed ? rest : undefined
}

function takeLarge(needed: number): Uint8Array<ArrayBuffer> | undefined {
  // One that is much larger would stay as long as the message waits, and nobody counts more than the message.
  const index = large.findIndex((one) => one.length >= needed && one.length <= 2 * needed)
  if (index === -1) return undefined
  const [taken] = large.splice(index, 1)
  largeBytes -= taken?.length ?? 0
  return taken
}

const nothing = allocateBytes(0)
