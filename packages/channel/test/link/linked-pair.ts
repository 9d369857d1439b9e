/** Two linked conns over any carriers, which may break. The test decides out of band what HTTP/2 says by headers. */
import type { Conn, ConnClosed, WriteOptions } from '@h2channel/conn'
import type { MakePair } from '@h2channel/conn/testing'
import type { CloseTimeouts } from '@h2channel/conn/web'
import { ConnError, StreamConn } from '@h2channel/conn/web'

import { Link } from '../../src/link/link.ts'
import { systemClock } from '../../src/runtime/clock.ts'

/** What goes wrong with a carrier, after so many bytes of one end. */
export interface Fault {
  readonly kind: 'none' | 'cut' | 'cut one direction' | 'swallow'
  /** Which end counts the bytes that it reads and writes. */
  readonly end: 0 | 1
  readonly after: number
}

/** Decides what goes wrong with the next carrier: also before there is one. */
export interface Faults {
  next(): Fault
  /** Whether the request or the response of a carrier gets lost. */
  handshake(): 'done' | 'no request' | 'no response'
}

export const noFaults: Faults = { next: () => ({ kind: 'none', end: 0, after: 0 }), handshake: () => 'done' }

/** A conn that breaks after so many bytes: in the middle of a chunk, if need be. */
class BreakingConn implements Conn {
  readonly #conn: Conn
  readonly #fault: Fault
  #left: number
  #breaking: ((error: ConnError) => void)[] = []
  #error: ConnError | undefined
  #isSilent = false

  constructor(conn: Conn, fault: Fault) {
    this.#conn = conn
    this.#fault = fault
    this.#left = fault.after
    // A carrier that swallows everything still ends when its own side gives it up.
  }

  get closed(): Promise<ConnClosed> {
    return this.#conn.closed
  }

  async read(): Promise<Uint8Array | null> {
    if (this.#error !== undefined) throw this.#error
    if (this.#isSilent) return await this.#never()
    const broken = this.#never<Uint8Array | null>()
    const chunk = await Promise.race([this.#conn.read(), broken])
    if (this.#isSilent) return await broken
    if (chunk === null) return null
    const whole = this.#pass(chunk.length)
    if (whole === chunk.length) return chunk
    if (this.#isSilent) return whole === 0 ? await broken : chunk.subarray(0, whole)
    return whole === 0 ? await this.read() : chunk.subarray(0, whole)
  }

  async write(bytes: Uint8Array, options?: WriteOptions): Promise<void> {
    if (this.#error !== undefined) throw this.#error
    if (this.#isSilent) return
    const whole = this.#pass(bytes.length)
    if (whole > 0) await this.#conn.write(bytes.subarray(0, whole), { handedOn: options?.handedOn }).catch(() => {})
    if (whole < bytes.length && this.#fault.kind === 'cut one direction') throw this.#break()
  }

  closeWrite(): Promise<void> {
    return this.#isSilent ? Promise.resolve() : this.#conn.closeWrite()
  }

  async close(): Promise<void> {
    if (this.#isSilent) this.abort()
    else await this.#conn.close()
  }

  abort(reason?: unknown): void {
    this.#conn.abort(reason)
    this.#fail(new ConnError('ABORTED', 'aborted'))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  // oxlint-disable-next-line require-yield -- a link reads by `read`.
  async *[Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    throw new Error('not used')
  }

  #never<T>(): Promise<T> {
    return new Promise((_resolve, reject) => {
      this.#breaking.push(reject)
    })
  }

  /** How many of `count` bytes pass before it breaks. */
  #pass(count: number): number {
    const { kind } = this.#fault
    if (kind === 'none' || count <= this.#left) {
      this.#left -= count
      return count
    }
    const whole = this.#left
    this.#left = 0
    if (kind === 'swallow') this.#isSilent = true
    else if (kind === 'cut') {
      this.#conn.abort(new Error('cut by the test'))
      this.#break()
    }
    return whole
  }

  #break(): ConnError {
    const error = new ConnError('CONNECTION_LOST', 'cut by the test')
    this.#fail(error)
    return error
  }

  #fail(error: ConnError): void {
    this.#error ??= error
    for (const reject of this.#breaking.splice(0)) reject(error)
  }
}

/** How a carrier's silence shows, soon. Unit: milliseconds. */
const heartbeat = { heartbeatInterval: 60, heartbeatTimeout: 60 }

/** Makes pairs of linked conns whose carriers come from `makeCarrier`. */
export function linkedPairs(makeCarrier: MakePair, faults: Faults, window = 64 * 1024): MakePair {
  return async (timeouts: CloseTimeouts = {}) => {
    let isRedialing = false
    const parts = { window, peerWindow: window, timeout: 5_000, heartbeat, clock: systemClock }
    const server = new Link({ ...parts, host: { onDetached() {}, onOver() {} } })
    const client: Link = new Link({
      ...parts,
      host: {
        onDetached() {
          void redial()
        },
        onOver() {},
      },
    })

    /** As the headers of HTTP/2 do. */
    const dial = async (): Promise<void> => {
      const { received } = client
      const handshake = faults.handshake()
      if (handshake === 'no request') return
      const [near, far] = await makeCarrier()
      const fault = faults.next()
      const ends = [near, far].map((conn, end) => (fault.end === end ? new BreakingConn(conn, fault) : conn))
      const [clientEnd = near, serverEnd = far] = ends
      if (server.isOver) {
        clientEnd.abort()
        serverEnd.abort()
        client.lose(new ConnError('RESET', 'the server does not know the link any more', { rstCode: 8 }))
        return
      }
      server.detach(new Error('another carrier'))
      const answer = server.received
      server.attach(serverEnd, received)
      if (handshake === 'no response' || client.isOver) clientEnd.abort()
      else client.attach(clientEnd, answer)
    }
    const redial = async (): Promise<void> => {
      if (isRedialing) return
      isRedialing = true
      while (!client.isOver && !client.isAttached) await dial()
      isRedialing = false
    }

    const pair = [new StreamConn(client, timeouts), new StreamConn(server, timeouts)] as const
    await redial()
    return pair
  }
}
