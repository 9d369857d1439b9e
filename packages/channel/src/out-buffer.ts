import { allocateBytes, ByteWriter } from '@h2channel/codecs'

/** Unit: bytes. */
const slabSize = 64 * 1024
/** What is left of a slab is used again unless it is shorter than this. Unit: bytes. */
const smallestRest = 1_024
/** How many rests are kept for all channels together. */
const mostRests = 16

/** The unused ends of slabs. A channel takes one when it begins to write and gives back what it left. */
const rests: Uint8Array<ArrayBuffer>[] = []

/**
 * What a channel has encoded and not sent yet. It holds memory only between the first message of a turn and the flush, so
 * that an idle channel costs nothing, and what it hands out is never written again, so that nobody has to copy it.
 */
export class OutBuffer extends ByteWriter {
  constructor() {
    super(0)
  }

  /** Whether so little room is left that it is better to flush than to move what is there. */
  get isNearlyFull(): boolean {
    return this.bytes.length - this.position < smallestRest
  }

  /** Gives away what was written, be it nothing. It belongs to the caller from then on. */
  take(): Uint8Array {
    const taken = this.written()
    const rest = this.bytes.subarray(this.position)
    // However short, the rest of a larger buffer would keep all of it.
    const isWorthKeeping = rest.length >= smallestRest && rest.buffer.byteLength <= slabSize
    if (isWorthKeeping && rests.length < mostRests) rests.push(rest)
    this.position = 0
    this.replace(nothing)
    return taken
  }

  protected override grow(size: number): void {
    const needed = this.position + size
    const rest = this.position === 0 ? rests.pop() : undefined
    if (rest !== undefined && rest.length >= needed) this.replace(rest)
    else this.replace(allocateBytes(Math.max(slabSize, needed, this.bytes.length * 2)))
  }
}

const nothing = allocateBytes(0)
