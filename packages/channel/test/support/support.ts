/** What several tests of this package need. */
import type { Codec } from '@h2channel/codecs'
import { ByteWriter, json } from '@h2channel/codecs'
import type { Conn, ConnClosed, WaitOptions } from '@h2channel/conn'
import type { PipeOptions } from '@h2channel/conn/web'
import { pipe } from '@h2channel/conn/web'
import { afterAll, afterEach, beforeAll, expect } from 'vitest'

import type { ChannelErrorCode, ChannelLimits, FrameDecoder, Framing } from '../../src/index.ts'
import { Channel, ChannelError, lengthPrefixed } from '../../src/index.ts'

/** Bytes as one reads them in a specification: `bytesOf('00 00 00 01 31')`. */
export function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.split(' ').filter(Boolean), (byte) => Number.parseInt(byte, 16))
}

/** The way back. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

export function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function concat(chunks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(chunks.flatMap((chunk) => [...chunk]))
}

/** The body of the next frame, if it is there. */
export function nextBody(decoder: FrameDecoder): Uint8Array | null {
  if (!decoder.next()) return null
  return decoder.bytes.subarray(decoder.offset, decoder.offset + decoder.length)
}

/** Waits for a promise to reject with a ChannelError of `code`, and returns that. */
export async function failure(promise: Promise<unknown>, code: ChannelErrorCode): Promise<ChannelError> {
  const error: unknown = await promise.then(
    (value) => new Error(`it did not fail, but gave ${JSON.stringify(value)}`),
    (reason: unknown) => reason,
  )
  return checked(error, code)
}

/** The ChannelError of `code` that `run` throws. */
export function thrown(run: () => unknown, code: ChannelErrorCode): ChannelError {
  let caught: unknown = new Error('it threw nothing')
  try {
    run()
  } catch (error) {
    caught = error
  }
  return checked(caught, code)
}

function checked(error: unknown, code: ChannelErrorCode): ChannelError {
  if (!(error instanceof ChannelError)) throw error
  expect(`${error.code}\n${error.stack}`).toMatch(new RegExp(`^${code}\n`))
  return error
}

/** The error by which a channel ended. */
export async function outcome<S, R>(channel: Channel<S, R>, code: ChannelErrorCode): Promise<ChannelError> {
  const closed = await channel.closed
  return checked(closed.clean ? new Error('it ended cleanly') : closed.error, code)
}

/** Receives to the end. */
export async function receiveAll<S, R>(channel: Channel<S, R>): Promise<R[]> {
  const messages: R[] = []
  for await (const message of channel) messages.push(message)
  return messages
}

/** A promise with its two ends: for waiting on events. */
export interface Deferred<Value> {
  readonly promise: Promise<Value>
  resolve(value: Value): void
  reject(error: unknown): void
}

export function deferred<Value = void>(): Deferred<Value> {
  let resolve: (value: Value) => void = () => {}
  let reject: (error: unknown) => void = () => {}
  const promise = new Promise<Value>((keep, refuse) => {
    resolve = keep
    reject = refuse
  })
  return { promise, resolve: (value) => resolve(value), reject: (error) => reject(error) }
}

/** Lets everything happen that happens without waiting for the network. */
export async function settled(): Promise<void> {
  for (let round = 0; round < 20; round++) await new Promise((resolve) => setImmediate(resolve))
}

/** One message of `codec` in `framing`, as it stands on the wire. */
export function framed<T>(message: T, codec: Codec<T>, framing: Framing = lengthPrefixed()): Uint8Array {
  const out = new ByteWriter()
  framing.begin(out)
  codec.encode(message, out)
  framing.end(out, 0, 2 ** 30 - 1)
  return Uint8Array.from(out.written())
}

/** Messages in JSON, with length prefixes, as they stand on the wire. */
export function jsonFrames(...messages: readonly unknown[]): Uint8Array {
  return concat(messages.map((message) => framed(message, json())))
}

/** Reads a conn to its end. */
export async function readAll(conn: Conn): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of conn) chunks.push(chunk)
  return concat(chunks)
}

export interface PairOptions {
  readonly control?: boolean
  readonly framing?: Framing
  readonly limits?: Partial<ChannelLimits>
  readonly pipe?: PipeOptions
}

/** Two channels of JSON over a pipe. */
export function channels<M = unknown>(options: PairOptions = {}): [left: Channel<M, M>, right: Channel<M, M>] {
  const [left, right] = pipe(options.pipe)
  return [overConn<M>(left, options), overConn<M>(right, options)]
}

/** A channel of JSON over a pipe, and the bare conn at its other end. */
export function channelAndPeer<M = unknown>(options: PairOptions = {}): [channel: Channel<M, M>, peer: Conn] {
  const [left, peer] = pipe(options.pipe)
  return [overConn<M>(left, options), peer]
}

export function overConn<M = unknown>(conn: Conn, options: PairOptions = {}): Channel<M, M> {
  const { control = true, framing, limits } = options
  return new Channel<M, M>(conn, { send: json<M>(), receive: json<M>(), control, framing, limits })
}

/** A conn that remembers what is done with it. */
export class WatchedConn implements Conn {
  readonly writes: Uint8Array[] = []
  readonly aborts: unknown[] = []
  reads = 0
  /** How much the conn has taken. Unit: bytes. */
  taken = 0
  readonly #conn: Conn

  constructor(conn: Conn) {
    this.#conn = conn
  }

  get closed(): Promise<ConnClosed> {
    return this.#conn.closed
  }

  read(options?: WaitOptions): Promise<Uint8Array | null> {
    this.reads += 1
    return this.#conn.read(options)
  }

  async write(bytes: Uint8Array, options?: WaitOptions): Promise<void> {
    this.writes.push(Uint8Array.from(bytes))
    await this.#conn.write(bytes, options)
    this.taken += bytes.length
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite()
  }

  close(): Promise<void> {
    return this.#conn.close()
  }

  abort(reason?: unknown): void {
    this.aborts.push(reason)
    this.#conn.abort(reason)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#conn[Symbol.asyncIterator]()
  }
}

/** Fails the test in which a rejection was not handled. To be called at the top of a test file. */
export function failOnUnhandledRejections(): void {
  const unhandled: unknown[] = []
  const onUnhandled = (error: unknown): void => void unhandled.push(error)
  beforeAll(() => void process.on('unhandledRejection', onUnhandled))
  afterAll(() => void process.off('unhandledRejection', onUnhandled))
  afterEach(async () => {
    await settled()
    expect(unhandled.splice(0)).toEqual([])
  })
}

/** Waits, without a clock, until something that the network does has happened. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}
