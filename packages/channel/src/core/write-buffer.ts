import { allocateBytes, ByteWriter } from '@h2channel/codecs/internal'

/** The size of the memory that a channel writes into during a turn. Unit: bytes. */
const slabSize = 64 * 1024
/** From here on so little of a slab is left that a flush is cheaper than a move. Unit: bytes. */
export const fullFrom: number = slabSize - 1_024
/** How many slabs are in use at once, and how many are kept for the next turn, for all channels together. */
const maxSlabs = 16
/**
 * What a channel begins with while that many others write into slabs: in a turn that writes a little to each of
 * thousands, slabs would be garbage of 64 KiB each. Unit: bytes.
 */
const smallSize = 1_000
/** How many of those are kept for the next turn, as for a message to all of 1,000 channels. */
const maxSmall = 1_000
/** How much is small enough for a page that several channels share, and the size of that. Unit: bytes. */
const maxShared = 512
const pageSize = 4 * 1024
/** How many writes may lie in pages. A write that cannot leave holds its page, but counts as its own bytes alone. */
const maxSharing = 4_096
/** What a framing may append to a message. Unit: bytes. */
const roomForFraming = 8
/** How much is kept of buffers for larger messages, for all channels together. Unit: bytes. */
const maxLargeBytes = 4 * 1024 * 1024

/** Memory that all channels share. */
const pool: {
  /** Free slabs. */
  readonly slabs: Uint8Array<ArrayBuffer>[]
  /** Free buffers of the small size. */
  readonly small: Uint8Array<ArrayBuffer>[]
  /** Free larger buffers: a new one for each large message would make V8 collect all garbage after a few of them. */
  readonly large: Uint8Array<ArrayBuffer>[]
  largeBytes: number
  /** The number of channels that write into slabs now. */
  slabsInUse: number
  /** The page of what is small and leaves at once. */
  page: Uint8Array<ArrayBuffer>
  pageUsed: number
  /** The number of writes that lie in pages. */
  sharing: number
} = { slabs: [], small: [], large: [], largeBytes: 0, slabsInUse: 0, page: allocateBytes(0), pageUsed: 0, sharing: 0 }

/**
 * What a channel has encoded and not sent yet. It holds memory only while something waits in it. What it hands out
 * fills at least half of its memory and does not share it: what waits occupies at most twice its size, and a receiver
 * that keeps or transfers it takes nothing from other channels.
 */
export class WriteBuffer extends ByteWriter {
  constructor() {
    super(0)
  }

  /**
   * Returns what was written, possibly nothing, and passes its ownership to the caller.
   *
   * @param mayShare - whether a little may lie in one page with what other channels write: it leaves at once, and
   *   nothing gets at the page.
   */
  take(mayShare = false): Uint8Array<ArrayBuffer> {
    const { bytes, position } = this
    if (bytes.length >= slabSize) pool.slabsInUse -= 1
    this.position = 0
    this.replace(nothing)
    if (position === 0) {
      keep(bytes)
      return nothing
    }
    if (2 * position >= bytes.length) return bytes.subarray(0, position)
    const isShared = mayShare && position <= maxShared && pool.sharing < maxSharing
    const taken = isShared ? allocateShared(position) : allocate(position)
    taken.set(bytes.subarray(0, position))
    keep(bytes)
    return taken.length === position ? taken : taken.subarray(0, position)
  }

  /** Whether what was written fills its memory well enough to wait there, rather than with what comes next. */
  get isWellFilled(): boolean {
    return 4 * this.position >= 3 * this.bytes.length
  }

  /**
   * What was written has to wait: it keeps no more memory than it needs, or `most`, for what comes next. Unit: bytes.
   */
  settle(most: number): void {
    const { bytes, position } = this
    const size = Math.max(smallSize, position, Math.min(most, slabSize / 2))
    // Beyond half a slab there is nothing between that and a whole one.
    if (bytes.length <= (size > slabSize / 2 ? Math.max(size, slabSize) : size)) return
    const next = allocate(size)
    next.set(bytes.subarray(0, position))
    if (bytes.length >= slabSize) pool.slabsInUse -= 1
    if (next.length >= slabSize) pool.slabsInUse += 1
    this.position = 0
    this.replace(next)
    this.position = position
    keep(bytes)
  }

  protected override grow(size: number): void {
    const before = this.bytes
    const capacity = before.length
    const needed = this.position + size
    const isSmall = needed <= smallSize && pool.slabsInUse >= maxSlabs
    if (capacity === 0 && needed <= slabSize && !isSmall) {
      pool.slabsInUse += 1
      this.replace(pool.slabs.pop() ?? createSlab())
      return
    }
    // Many small pieces are moved seldom by doubling; a large one knows its size, but for what a framing adds.
    const grown = size >= capacity ? needed + roomForFraming : Math.max(needed, 2 * capacity)
    const next = allocate(capacity === 0 && isSmall ? smallSize : grown)
    if (capacity < slabSize && next.length >= slabSize) pool.slabsInUse += 1
    this.replace(next)
    // What was there has moved, and nothing else refers to it.
    keep(before)
  }
}

/** The memory of what was taken: at most twice its size, but for the page that it may share. Unit: bytes. */
export function memoryOf(taken: Uint8Array): number {
  return Math.min(taken.buffer.byteLength, 2 * taken.length)
}

/**
 * Takes back what {@link WriteBuffer.take} has returned, once for each.
 *
 * @param isFree - whether nothing refers to it any more, so that its memory can be used again.
 */
export function release(taken: Uint8Array | undefined, isFree: boolean): void {
  if (taken === undefined) return
  const { buffer } = taken
  // Less than a slab is not worth it, and what somebody has transferred has no bytes.
  if (buffer.byteLength === pageSize && taken.length <= maxShared) pool.sharing -= 1
  else if (isFree && buffer.byteLength >= slabSize && buffer instanceof ArrayBuffer) keep(new Uint8Array(buffer))
}

/** Memory of its own would be an object more for V8, which looks at each with every collection. */
function allocateShared(size: number): Uint8Array<ArrayBuffer> {
  if (pool.pageUsed + size > pool.page.length) {
    pool.page = allocateBytes(pageSize)
    pool.pageUsed = 0
  }
  const start = pool.pageUsed
  pool.pageUsed += size
  pool.sharing += 1
  return pool.page.subarray(start, start + size)
}

/** A plain array, of which a view is made without four calls of `Buffer`. */
function createSlab(): Uint8Array<ArrayBuffer> {
  return new Uint8Array(allocateBytes(slabSize).buffer)
}

/** Returns unused memory of at least `size` bytes and at most `most`. */
export function allocate(size: number, most: number = 2 * size): Uint8Array<ArrayBuffer> {
  if (size === smallSize) return pool.small.pop() ?? allocateBytes(size)
  if (size <= slabSize / 2) return allocateBytes(size)
  if (size <= slabSize && slabSize <= most) return pool.slabs.pop() ?? createSlab()
  return takeLarge(size, most) ?? allocateBytes(size)
}

/** Keeps memory for later. Nothing may refer to it any more. */
export function keep(bytes: Uint8Array<ArrayBuffer>): void {
  if (bytes.length === smallSize) {
    if (pool.small.length < maxSmall) pool.small.push(bytes)
  } else if (bytes.length === slabSize) {
    if (pool.slabs.length < maxSlabs) pool.slabs.push(bytes)
  } else if (bytes.length > slabSize && bytes.length <= maxLargeBytes) {
    // The oldest are dropped: their size may not be needed any more.
    while (pool.large.length > 0 && pool.largeBytes + bytes.length > maxLargeBytes)
      pool.largeBytes -= pool.large.shift()?.length ?? 0
    pool.largeBytes += bytes.length
    pool.large.push(bytes)
  }
}

function takeLarge(needed: number, most: number): Uint8Array<ArrayBuffer> | undefined {
  // One that is much larger would stay as long as the message waits.
  const index = pool.large.findIndex((one) => one.length >= needed && one.length <= most)
  if (index === -1) return undefined
  const [taken] = pool.large.splice(index, 1)
  pool.largeBytes -= taken?.length ?? 0
  return taken
}

const nothing = allocateBytes(0)
