import { allocate, keep } from '../core/write-buffer.ts'
import { endSize, maxDataBytes, prefixSize, protocolError, readLength, writeEnd, writePrefix } from './records.ts'

/** The largest page: it leaves in one write, and each write waits for the one before. Unit: bytes. */
const maxPage = 256 * 1024
/** The largest page for more than is written now, and the memory beyond the window that starts no page. Unit: bytes. */
const commonPage = 64 * 1024
/** The smallest page. Unit: bytes. */
const minPage = 256

/** The longest record, prefix included: a frame of HTTP/2 has room for it. Unit: bytes. */
const maxRecord = maxDataBytes

/** Memory with whole records, each with its prefix, as they leave. */
interface Page {
  readonly bytes: Uint8Array<ArrayBuffer>
  /** Where the first record begins that the peer may still need. */
  start: number
  /** The offset of that record. */
  offset: number
  /** How far it was taken to be sent on this carrier. */
  taken: number
  /** Where the last record ends. */
  end: number
  /** The offset behind that record. */
  endOffset: number
  /** Whether something may still refer to its memory once the peer has it. */
  isShared: boolean
}

/**
 * What this side of a link sends, from when it was accepted to when the peer has acknowledged it. Pure: bytes in,
 * records out. Offsets count bytes of data, and one for the end.
 *
 *     acknowledged ≤ kept ≤ sent ≤ accepted ≤ acknowledged + window
 */
export class Outbox {
  readonly #window: number
  #pages = none
  #pageBytes = 0
  /** The index of the page that is taken next, or of the last page if all was taken. */
  #next = 0
  /** The page of what was taken last, until that was handed on. */
  #lent: Page | undefined
  /** Where the record begins in the last page that may still grow, since it was not taken, or −1. */
  #growing = -1
  #acknowledged = 0
  /** Everything below was dropped, since the peer has it. */
  #kept = 0
  #sent = 0
  #accepted = 0
  #endOffset = -1

  /** @param window - how many bytes the peer takes beyond what it has acknowledged. */
  constructor(window: number) {
    this.#window = window
  }

  /** Memory that waits for the peer's acknowledgement. At most the window and two pages. Unit: bytes. */
  get held(): number {
    return this.#pageBytes
  }

  /** Whether {@link append} would accept a byte. */
  get hasRoom(): boolean {
    // Memory counts too, since a record of one byte has a prefix of four.
    return this.#accepted < this.#acknowledged + this.#window && this.#pageBytes < this.#window + commonPage
  }

  /** Whether everything accepted was taken to be sent on this carrier. */
  get isTaken(): boolean {
    const last = this.#pages.at(-1)
    return last === undefined || last.taken === last.end
  }

  /** Whether the peer has received more than that: a request with this offset is an old one. */
  isOutdated(received: number): boolean {
    return received < this.#kept
  }

  /** Whether the peer has everything, and the end. */
  get isDelivered(): boolean {
    return this.#endOffset !== -1 && this.#kept > this.#endOffset
  }

  /** Copies `bytes` from `from` on, as far as there is room. Returns where it stopped. */
  append(bytes: Uint8Array, from: number): number {
    let at = from
    while (at < bytes.length && this.hasRoom) {
      const room = Math.min(bytes.length - at, this.#acknowledged + this.#window - this.#accepted)
      const page = this.#pageFor(room)
      if (this.#growing === -1) {
        this.#growing = page.end
        page.end += prefixSize
      }
      const used = page.end - this.#growing
      const count = Math.min(room, page.bytes.length - page.end, maxRecord - used)
      page.bytes.set(count === bytes.length ? bytes : bytes.subarray(at, at + count), page.end)
      page.end += count
      writePrefix(page.bytes, this.#growing, used + count - prefixSize)
      this.#accept(page, count)
      if (used + count === maxRecord) this.#growing = -1
      at += count
    }
    return at
  }

  /** Appends the end, if there is room for it. Nothing may be appended after it. */
  appendEnd(): boolean {
    if (!this.hasRoom) return false
    this.#growing = -1
    const page = this.#pageFor(endSize)
    writeEnd(page.bytes, page.end)
    page.end += endSize
    this.#endOffset = this.#accepted
    this.#accept(page, 1)
    return true
  }

  /** Takes what is to be sent next: whole records. They are not changed as long as the peer may need them. */
  take(): Uint8Array | undefined {
    let page = this.#pages[this.#next]
    if (page?.taken === page?.end && this.#next < this.#pages.length - 1) page = this.#pages[++this.#next]
    if (page === undefined || page.taken === page.end) return undefined
    const records = page.bytes.subarray(page.taken, page.end)
    page.taken = page.end
    this.#lent = page
    this.#sent = Math.max(this.#sent, page.endOffset)
    if (this.#next === this.#pages.length - 1) this.#growing = -1
    return records
  }

  /** What was taken last was handed on. With `isReleased`, nothing reads it any more. */
  handedOn(isReleased: boolean): void {
    if (this.#lent !== undefined && !isReleased) this.#lent.isShared = true
    this.#lent = undefined
  }

  /**
   * The peer has consumed everything below `offset`.
   *
   * @throws ConnError `PROTOCOL_ERROR` for an offset that was not sent, or lies before an earlier one.
   */
  acknowledge(offset: number): void {
    if (offset < this.#acknowledged) throw protocolError(`the peer acknowledges ${offset} after ${this.#acknowledged}`)
    if (offset > this.#sent) throw protocolError(`the peer acknowledges ${offset}, and ${this.#sent} was sent`)
    this.#acknowledged = offset
    this.#forget(offset)
  }

  /**
   * Begins a carrier: what the peer has not received is to be sent again.
   *
   * @param received - how far it has.
   * @throws ConnError `PROTOCOL_ERROR` for an offset that was not sent, or that the peer had passed before.
   */
  rewind(received: number): void {
    if (this.isOutdated(received)) throw protocolError(`the peer has received ${received}, and had ${this.#kept}`)
    if (received > this.#sent) throw protocolError(`the peer has received ${received}, and ${this.#sent} was sent`)
    // The carrier before may still read it.
    this.handedOn(false)
    this.#forget(received)
    const [first] = this.#pages
    if (first !== undefined) skipTo(first, received)
    for (const page of this.#pages) page.taken = page.start
    this.#next = 0
    this.#growing = -1
  }

  /** Drops everything. */
  clear(): void {
    this.#pages = none
    this.#next = 0
    this.#pageBytes = 0
    this.#growing = -1
  }

  #forget(offset: number): void {
    this.#kept = Math.max(this.#kept, offset)
    let first = this.#pages[0]
    while (first !== undefined && first.endOffset <= this.#kept) {
      this.#pages.shift()
      if (this.#next > 0) this.#next -= 1
      this.#pageBytes -= first.bytes.length
      if (first !== this.#lent && !first.isShared) keep(first.bytes)
      if (this.#pages.length === 0) {
        // An array that was used holds memory, also when it is empty.
        this.#pages = none
        this.#growing = -1
      }
      first = this.#pages[0]
    }
  }

  #accept(page: Page, count: number): void {
    this.#accepted += count
    page.endOffset = this.#accepted
  }

  /** The page that takes more of the record that grows, or the start of `wanted` bytes. */
  #pageFor(wanted: number): Page {
    const needed = wanted + prefixSize * Math.ceil(wanted / maxDataBytes)
    const last = this.#pages.at(-1)
    if (last !== undefined) {
      const free = last.bytes.length - last.end
      // A little more would leave in a write of its own, unless what is there has not left yet.
      if (free >= (last.taken < last.end ? prefixSize + 1 : Math.min(needed, last.bytes.length / 4))) return last
    }
    this.#growing = -1
    // Twice what is held at most: a link of few bytes holds little.
    const size = Math.max(minPage, Math.min(needed, maxPage), Math.min(commonPage, this.#pageBytes))
    const most = this.#window + 2 * commonPage - this.#pageBytes
    const bytes = allocate(Math.min(size, most), Math.min(2 * size, most))
    const offset = this.#accepted
    const page = { bytes, start: 0, offset, taken: 0, end: 0, endOffset: offset, isShared: false }
    if (this.#pages === none) this.#pages = []
    this.#pages.push(page)
    this.#pageBytes += bytes.length
    return page
  }
}

/** The pages of every outbox that has none. Never written to. */
const none: Page[] = []

/** Moves the start of a page to `offset`, inside a record if need be: the rest then has a prefix of its own. */
function skipTo(page: Page, offset: number): void {
  while (page.offset < offset) {
    const length = readLength(page.bytes, page.start)
    const skipped = Math.min(length, offset - page.offset)
    page.offset += skipped
    page.start += skipped
    if (skipped < length) writePrefix(page.bytes, page.start, length - skipped)
    else page.start += prefixSize
  }
}
