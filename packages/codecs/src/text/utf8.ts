import type { ByteWriter } from '../core/byte-writer.ts'
import { reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'

/** Text ↔ UTF-8, in two implementations with the same results. {@link utf8} is the faster one on this platform. */
export interface Utf8 {
  /**
   * Appends `text`. A lone surrogate has no bytes in UTF-8 and is written as U+FFFD. `JSON.stringify` escapes lone
   * surrogates, so its results have none.
   */
  write(text: string, out: ByteWriter): void

  /**
   * Reads the bytes from `start` up to `end`. Default: all bytes. A byte order mark stays in the text.
   *
   * @throws CodecError `DECODE_FAILED` when the bytes are not well-formed UTF-8.
   */
  read(bytes: Uint8Array, start?: number, end?: number): string
}

/** The most bytes of UTF-8 that one UTF-16 unit needs, a lone surrogate included. */
const maxBytesPerUnit = 3

/** A codec may later remove so much of what it wrote before the text, such as room for a header. Unit: bytes. */
const maxRemoved = 4 * 1024

/** Up to this length, room for the worst case is reserved without counting. Unit: UTF-16 units. */
const maxUncounted = 4096

// Every runtime has these two classes, but their type definitions share no library that declares them.
declare const TextEncoder: new () => {
  encode(text: string): Uint8Array
  encodeInto(text: string, into: Uint8Array): { readonly read: number; readonly written: number }
}
declare const TextDecoder: new (
  label: string,
  options: { readonly fatal: boolean; readonly ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string }

/** Reads many texts of one chunk without a view of each. `MessageReader` has the same contract. */
export interface TextReader {
  /** Reads the `length` bytes at `offset` of `bytes`, as {@link Utf8.read} does. */
  read(bytes: Uint8Array, offset: number, length: number): string
  /** Forgets the chunk, so that its memory can be freed. */
  release(): void
}

/** The part of Node's `Buffer` that {@link bufferUtf8} calls. The methods accept any `Uint8Array` as `this`. */
export interface BufferClass {
  byteLength(text: string): number
  readonly prototype: {
    readonly utf8Write: (this: Uint8Array, text: string, offset: number, length: number) => number
    readonly utf8Slice: (this: Uint8Array, start: number, end: number) => string
    readonly latin1Slice: (this: Uint8Array, start: number, end: number) => string
  }
}

const platform = globalThis as { readonly Buffer?: BufferClass }
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The implementation by `TextEncoder` and `TextDecoder`, which every runtime has. */
export const standardUtf8: Utf8 = {
  write(text, out) {
    let done = 0
    while (done < text.length) {
      const left = text.length - done
      out.reserve(left <= maxUncounted ? left * maxBytesPerUnit : left)
      const { read, written } = encoder.encodeInto(
        done === 0 ? text : text.slice(done),
        out.bytes.subarray(out.position),
      )
      out.position += written
      done += read
    }
  },
  read: readStrictly,
}

/** The implementation by methods of `Buffer`. `undefined` where they are missing or refuse a plain `Uint8Array`. */
export function bufferUtf8(buffer: BufferClass | undefined): Utf8 | undefined {
  if (buffer === undefined || !acceptsPlainBytes(buffer)) return undefined
  const { utf8Write, utf8Slice } = buffer.prototype
  return {
    write(text, out) {
      // Each unit needs a byte at least, so a text that is too long for the message need not be counted.
      if (text.length > out.left + maxRemoved) out.overflow()
      const room = text.length <= maxUncounted ? text.length * maxBytesPerUnit : buffer.byteLength(text)
      out.reserve(room)
      out.position += utf8Write.call(out.bytes, text, out.position, room)
    },
    read(bytes, start = 0, end = bytes.length) {
      let text
      try {
        text = utf8Slice.call(bytes, start, end)
      } catch (cause) {
        throw new CodecError('DECODE_FAILED', `text of ${end - start} bytes: ${reasonOf(cause)}`, { cause })
      }
      // `utf8Slice` replaces invalid bytes with U+FFFD. The sender may also have sent U+FFFD itself.
      return text.includes('\uFFFD') ? readStrictly(bytes, start, end) : text
    },
  }
}

/** The faster implementation on this platform. */
export const utf8: Utf8 = bufferUtf8(platform.Buffer) ?? standardUtf8

/** Returns the bytes of a text, in memory of their own. */
export function utf8Bytes(text: string): Uint8Array {
  return encoder.encode(text)
}

/** The part of a chunk that is converted at once. Unit: bytes. */
const maxWindow = 64 * 1024

/** With less ASCII than this for each other byte, the messages of a chunk are read one by one. */
const minAsciiPerOther = 64

/**
 * Creates a reader that converts a whole chunk to text, one unit for each byte, and cuts the messages out of it. A call
 * of the platform for each message takes longer than parsing a short text. A message that is long or not ASCII is read
 * alone.
 */
export function createTextReader(buffer: BufferClass | undefined = platform.Buffer): TextReader {
  // There may be one for each chunk: the methods of the platform are probed once.
  const isUsable = buffer === platform.Buffer ? utf8 !== standardUtf8 : bufferUtf8(buffer) !== undefined
  if (buffer !== undefined && isUsable) return new ChunkTextReader(buffer)
  return { read: (bytes, offset, length) => utf8.read(bytes, offset, offset + length), release: () => {} }
}

/** Whether a message is so much of its chunk, or of what a reader converts at once, that it is read alone. */
export function isReadAlone(chunk: Uint8Array, offset: number, length: number): boolean {
  return length * 2 > Math.min(chunk.length - offset, maxWindow)
}

const nothing = new Uint8Array(0)

class ChunkTextReader implements TextReader {
  readonly #buffer: BufferClass
  #chunk: Uint8Array = nothing
  /** The chunk from `#start` to `#end`, one unit for each byte. */
  #text = ''
  #start = 0
  #end = 0
  /** How many bytes of that part are not ASCII, those between the messages included. */
  #others = 0

  constructor(buffer: BufferClass) {
    this.#buffer = buffer
  }

  read(bytes: Uint8Array, offset: number, length: number): string {
    if (bytes !== this.#chunk || offset < this.#start || offset + length > this.#end) {
      if (isReadAlone(bytes, offset, length)) return utf8.read(bytes, offset, offset + length)
      this.#load(bytes, offset, Math.min(bytes.length, offset + maxWindow))
    }
    // Where there are many of these bytes, most messages contain some.
    if (this.#others * minAsciiPerOther <= this.#text.length) {
      const from = offset - this.#start
      const text = this.#text.substring(from, from + length)
      if (this.#others === 0 || this.#buffer.byteLength(text) === length) return text
    }
    return utf8.read(bytes, offset, offset + length)
  }

  release(): void {
    this.#chunk = nothing
    this.#end = 0
    this.#text = ''
  }

  #load(bytes: Uint8Array, start: number, end: number): void {
    this.#chunk = bytes
    this.#start = start
    this.#end = end
    this.#text = this.#buffer.prototype.latin1Slice.call(bytes, start, end)
    this.#others = this.#buffer.byteLength(this.#text) - this.#text.length
  }
}

function readStrictly(bytes: Uint8Array, start = 0, end = bytes.length): string {
  try {
    return decoder.decode(bytes.subarray(start, end))
  } catch (cause) {
    throw new CodecError('DECODE_FAILED', `not well-formed UTF-8: ${reasonOf(cause)}`, { cause })
  }
}

function acceptsPlainBytes(buffer: BufferClass): boolean {
  try {
    const probe = new Uint8Array(4)
    const written = buffer.prototype.utf8Write.call(probe, 'é', 1, 3)
    return written === 2 && buffer.prototype.utf8Slice.call(probe, 1, 3) === 'é' && buffer.byteLength('é') === 2
  } catch {
    return false
  }
}
