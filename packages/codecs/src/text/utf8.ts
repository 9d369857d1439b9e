import type { ByteWriter } from '../core/byte-writer.ts'
import { reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'

/** Text ↔ UTF-8. There are two implementations with the same results; {@link utf8} is the faster one here. */
export interface Utf8 {
  /**
   * Appends `text`. A lone surrogate, which UTF-8 has no bytes for, is written as U+FFFD; what `JSON.stringify` returns
   * has none, since it escapes them.
   */
  write(text: string, out: ByteWriter): void

  /**
   * Reads the bytes from `start` up to `end`, all of them where neither is given. A byte order mark stays in the text.
   *
   * @throws CodecError `DECODE_FAILED` when they are not well-formed UTF-8.
   */
  read(bytes: Uint8Array, start?: number, end?: number): string
}

/** A UTF-16 unit takes at most three bytes, and the unpaired half of a pair as many. */
const MAX_BYTES_PER_UNIT = 3

/** How much a codec may take back later of what it has written before the text, such as room for a header. Unit: bytes. */
const MAX_TAKEN_BACK = 4 * 1024

/** Up to this length, room for the worst case is reserved without counting. Unit: UTF-16 units. */
const SHORT_TEXT = 4096

// Every runtime has these two, but no library that all of their type definitions share.
declare const TextEncoder: new () => {
  encodeInto(text: string, into: Uint8Array): { readonly read: number; readonly written: number }
}
declare const TextDecoder: new (
  label: string,
  options: { readonly fatal: boolean; readonly ignoreBOM: boolean },
) => { decode(bytes: Uint8Array): string }

/** Reads texts where they lie, many to a chunk. See `MessageReader`. */
export interface TextReader {
  /** The same as {@link Utf8.read} of the `length` bytes at `offset` of `bytes`. */
  read(bytes: Uint8Array, offset: number, length: number): string
  release(): void
}

/** The part of Node's `Buffer` that {@link bufferUtf8} calls. The prototype's methods take any `Uint8Array` as `this`. */
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

/** By `TextEncoder` and `TextDecoder`, which every runtime has. */
export const standardUtf8: Utf8 = {
  write(text, out) {
    let done = 0
    while (done < text.length) {
      const left = text.length - done
      out.reserve(left <= SHORT_TEXT ? left * MAX_BYTES_PER_UNIT : left)
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

/** By the methods of `Buffer`, or `undefined` where `buffer` has none that work on a plain `Uint8Array`. */
export function bufferUtf8(buffer: BufferClass | undefined): Utf8 | undefined {
  if (buffer === undefined || !takesPlainBytes(buffer)) return undefined
  const { utf8Write, utf8Slice } = buffer.prototype
  return {
    write(text, out) {
      // No unit takes less than a byte. A text that is too long for the message is not even counted.
      if (text.length > out.left + MAX_TAKEN_BACK) out.overflow()
      const room = text.length <= SHORT_TEXT ? text.length * MAX_BYTES_PER_UNIT : buffer.byteLength(text)
      out.reserve(room)
      out.position += utf8Write.call(out.bytes, text, out.position, room)
    },
    read(bytes, start = 0, end = bytes.length) {
      const text = sliceOrThrow(utf8Slice, bytes, start, end)
      // `utf8Slice` puts U+FFFD in the place of what is wrong. The text may also hold a U+FFFD that was sent as one.
      return text.includes('\uFFFD') ? readStrictly(bytes, start, end) : text
    },
  }
}

/** The faster implementation on this platform. */
export const utf8: Utf8 = bufferUtf8(platform.Buffer) ?? standardUtf8

/** How much of a chunk is taken over at a time. Unit: bytes. */
const WINDOW = 64 * 1024

/** From which share of other bytes on a chunk's messages are read each by itself: one in so many. */
const MIN_ASCII_PER_OTHER = 64

/**
 * Makes a reader that takes a chunk over as text at once, byte by unit, and cuts the messages out of that: calling the
 * platform takes longer than parsing a short text. A message with more than ASCII, or a long one, is read by itself.
 */
export function textReader(buffer: BufferClass | undefined = platform.Buffer): TextReader {
  if (buffer !== undefined && bufferUtf8(buffer) !== undefined) return new ChunkTextReader(buffer)
  return { read: (bytes, offset, length) => utf8.read(bytes, offset, offset + length), release: () => {} }
}

const nothing = new Uint8Array(0)

class ChunkTextReader implements TextReader {
  readonly #buffer: BufferClass
  #chunk: Uint8Array = nothing
  /** The chunk from `#start` to `#end`, a unit a byte. */
  #text = ''
  #start = 0
  #end = 0
  /** How many of its bytes are no ASCII, what lies between the messages included. */
  #others = 0

  constructor(buffer: BufferClass) {
    this.#buffer = buffer
  }

  read(bytes: Uint8Array, offset: number, length: number): string {
    if (bytes !== this.#chunk || offset < this.#start || offset + length > this.#end) {
      const end = Math.min(bytes.length, offset + WINDOW)
      if (length * 2 > end - offset) return utf8.read(bytes, offset, offset + length)
      this.#take(bytes, offset, end)
    }
    // Where such bytes are many, most messages have some.
    if (this.#others * MIN_ASCII_PER_OTHER <= this.#text.length) {
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

  #take(bytes: Uint8Array, start: number, end: number): void {
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

type Slice = BufferClass['prototype']['utf8Slice']

function sliceOrThrow(utf8Slice: Slice, bytes: Uint8Array, start: number, end: number): string {
  try {
    return utf8Slice.call(bytes, start, end)
  } catch (cause) {
    throw new CodecError('DECODE_FAILED', `text of ${end - start} bytes: ${reasonOf(cause)}`, { cause })
  }
}

function takesPlainBytes(buffer: BufferClass): boolean {
  try {
    const probe = new Uint8Array(4)
    const written = buffer.prototype.utf8Write.call(probe, 'é', 1, 3)
    return written === 2 && buffer.prototype.utf8Slice.call(probe, 1, 3) === 'é' && buffer.byteLength('é') === 2
  } catch {
    return false
  }
}
