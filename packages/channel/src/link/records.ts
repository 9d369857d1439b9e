/** The records that a link sends on its carrier. SPEC.md has their bytes, section "Links". */
import { ConnError } from '@h2channel/conn/web'

/** Length of a record's prefix, that of length-prefixed framing. Unit: bytes. */
export const prefixSize = 4

/** The longest body of a data record. Only whole records count as received, so a long one would be sent in vain. */
export const maxDataBytes: number = 16 * 1024

/** The longest body of any other record. Unit: bytes. */
export const maxControlBytes = 128

const controlFlag = 0x8000_0000
const reservedFlag = 0x4000_0000
const lengthMask = 0x3fff_ffff

/** The first byte of a control record's body. Unknown ones are ignored, so that later versions can add some. */
export const RecordType = { ack: 0x11, end: 0x12, reset: 0x13, ping: 0x14, pong: 0x15 } as const

/** Codes of resets, which are those of RST_STREAM (RFC 9113, section 7). */
export const ResetCode = { noError: 0, protocolError: 1, cancel: 8 } as const

/** What a reader of records reports. Each call may end the link, and with it the reading. */
export interface RecordEvents {
  /** A whole data record has arrived, in these parts. They are parts of the carrier's chunks. */
  onData(parts: readonly Uint8Array[], length: number): void
  onAck(offset: number): void
  onEndRecord(): void
  onReset(code: number): void
}

/** What it reports of the carrier alone. */
export interface PingEvents {
  onPing(opaque: Uint8Array): void
  onPong(opaque: Uint8Array): void
}

/** Writes the prefix of a data record. */
export function writePrefix(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = length >>> 24
  bytes[at + 1] = length >>> 16
  bytes[at + 2] = length >>> 8
  bytes[at + 3] = length
}

/** Reads how many places of the offset a record takes that {@link writePrefix} or {@link writeEnd} wrote. */
export function readLength(bytes: Uint8Array, at: number): number {
  return readU32(bytes, at) & lengthMask
}

/** Length of the end record, prefix included. Its body has one byte: as many as it takes places of the offset. */
export const endSize: number = prefixSize + 1

export function writeEnd(bytes: Uint8Array, at: number): void {
  bytes.set(endRecord, at)
}

const endRecord = control(Uint8Array.of(RecordType.end))

/** @param offset - a safe integer. */
export function ackRecord(offset: number): Uint8Array {
  const body = new Uint8Array(9)
  body[0] = RecordType.ack
  const view = new DataView(body.buffer)
  view.setUint32(1, Math.floor(offset / 2 ** 32))
  view.setUint32(5, offset >>> 0)
  return control(body)
}

export function resetRecord(code: number): Uint8Array {
  const body = new Uint8Array(5)
  body[0] = RecordType.reset
  new DataView(body.buffer).setUint32(1, code)
  return control(body)
}

export function pingRecord(type: 'ping' | 'pong', opaque: Uint8Array): Uint8Array {
  const body = new Uint8Array(1 + opaque.length)
  body[0] = RecordType[type]
  body.set(opaque, 1)
  return control(body)
}

function control(body: Uint8Array): Uint8Array {
  const record = new Uint8Array(prefixSize + body.length)
  record.set(body, prefixSize)
  new DataView(record.buffer).setUint32(0, (controlFlag | body.length) >>> 0)
  return record
}

/** The error of a peer that breaks the rules of links. */
export function protocolError(message: string): ConnError {
  return new ConnError('PROTOCOL_ERROR', message)
}

/**
 * Finds the records in the bytes of one carrier. Nothing of a record is reported before all of it is there: what a
 * carrier cuts off is sent again.
 */
export class RecordReader {
  /** Of the record that is being read; without its prefix, no length is known. */
  #length = -1
  #isControl = false
  /** Of a record, or a prefix, that spans chunks. */
  #parts = none
  #partBytes = 0
  #hasStopped = false

  /**
   * Reads the records that end in `chunk`. Parts of the chunk are kept until the record that they begin has arrived.
   *
   * @throws ConnError `PROTOCOL_ERROR`.
   */
  read(chunk: Uint8Array, events: RecordEvents, pings: PingEvents): void {
    let at = 0
    while (at < chunk.length && !this.#hasStopped) {
      const wanted = (this.#length === -1 ? prefixSize : this.#length) - this.#partBytes
      const begin = at
      at = Math.min(at + wanted, chunk.length)
      // Most prefixes lie in one chunk.
      if (this.#length === -1 && at - begin === prefixSize) this.#onPrefix(readU32(chunk, begin))
      else {
        if (this.#parts === none) this.#parts = []
        this.#parts.push(chunk.subarray(begin, at))
        this.#partBytes += at - begin
        if (at - begin === wanted) this.#onWhole(events, pings)
      }
    }
  }

  /** Nothing more is reported: what was reported last may have ended the link. */
  stop(): void {
    this.#hasStopped = true
    this.#parts = none
  }

  #onWhole(events: RecordEvents, pings: PingEvents): void {
    const parts = this.#parts
    this.#parts = none
    this.#partBytes = 0
    if (this.#length === -1) {
      this.#onPrefix(readU32(joined(parts), 0))
      return
    }
    const length = this.#length
    this.#length = -1
    if (this.#isControl) onControl(joined(parts), events, pings)
    else events.onData(parts, length)
  }

  #onPrefix(prefix: number): void {
    const length = prefix & lengthMask
    this.#isControl = prefix >= controlFlag
    const limit = this.#isControl ? maxControlBytes : maxDataBytes
    if ((prefix & reservedFlag) !== 0) throw protocolError('a record of the link has a reserved bit set')
    if (length === 0 || length > limit) {
      throw protocolError(`a record of the link has ${length} bytes: a body has 1 to ${limit}`)
    }
    this.#length = length
  }
}

/** The parts of every reader that has none. Never written to. */
const none: Uint8Array[] = []

function onControl(body: Uint8Array, events: RecordEvents, pings: PingEvents): void {
  const rest = body.subarray(1)
  switch (body[0]) {
    case RecordType.ack:
      expectLength('ack', rest, 8)
      events.onAck(readU32(rest, 0) * 2 ** 32 + readU32(rest, 4))
      return
    case RecordType.end:
      expectLength('end', rest, 0)
      events.onEndRecord()
      return
    case RecordType.reset:
      expectLength('reset', rest, 4)
      events.onReset(readU32(rest, 0))
      return
    case RecordType.ping:
      pings.onPing(rest)
      return
    case RecordType.pong:
      pings.onPong(rest)
      return
    default:
  }
}

function expectLength(name: string, rest: Uint8Array, length: number): void {
  if (rest.length !== length) throw protocolError(`the record "${name}" of a link has ${rest.length + 1} bytes`)
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const [first = new Uint8Array()] = parts
  if (parts.length === 1) return first
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function readU32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16)
  const low = ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)
  return (high | low) >>> 0
}

/** The code that the reason of an abort asks for. */
export function rstCodeOf({ cause }: ConnError): number {
  const code = typeof cause === 'object' && cause !== null && 'rstCode' in cause ? cause.rstCode : undefined
  return typeof code === 'number' ? code : ResetCode.cancel
}
