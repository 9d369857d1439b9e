import type { ConnError } from '../errors.ts'

/** How long a wait may take. A wait that is given up changes nothing: no byte is lost, and the conn stays usable. */
export interface WaitOptions {
  /**
   * Ends the wait: with `TIMEOUT` for an `AbortSignal.timeout(ms)`, with `CANCELLED` for any other. `null` is no signal; anything
   * else that is none is refused with `INVALID_ARGUMENT`, before anything is done.
   */
  readonly signal?: AbortSignal | null | undefined
}

export interface WriteOptions extends WaitOptions {
  /**
   * Waits until the transport has handed the bytes on, and not only until there was room for them. It is for a writer that
   * gathers what comes meanwhile: many small writes that wait would each hold a buffer. A conn that does not know when
   * that is resolves as without it. The signal ends only the wait for room.
   */
  readonly handedOn?: boolean | undefined
  /**
   * Called once when the bytes are the caller's again, after they were accepted: nobody reads them any more. Nobody may wait
   * for it: a conn need not call it, and one over HTTP/2 doesn't for what it has not handed on when its stream is over. A
   * conn that hands bytes on to another passes this along only with the last reference to all of them.
   */
  readonly released?: (() => void) | undefined
}

/**
 * How a conn ended: cleanly, which means that this side's half was handed on whole and the peer ended its own or this side
 * closed without waiting for that any longer; or by an error.
 */
export type ConnClosed = { readonly clean: true } | { readonly clean: false; readonly error: ConnError }

/**
 * A full-duplex stream of bytes between two programs. Both halves are independent: either side may end its own and go
 * on with the other.
 *
 * Every wait ends, at the latest when the conn does, and with an error that says why.
 *
 * @example
 * ```ts
 * await conn.write(new TextEncoder().encode('hello'))
 * await conn.closeWrite()
 * for await (const chunk of conn) console.log(chunk)
 * ```
 */
export interface Conn extends AsyncIterable<Uint8Array>, AsyncDisposable {
  /**
   * Waits for the next chunk. Concurrent reads are served in the order in which they were called. The bytes belong to
   * the caller from then on, but not the `ArrayBuffer` below them, which others may share: don't transfer it.
   *
   * @returns a chunk of at least one byte, or `null` once the peer has ended its half and all of it was read.
   * @throws ConnError `TIMEOUT` or `CANCELLED` when the signal gave up the wait, `CLOSED` after `close()`, `ABORTED`
   *   after `abort()`, `CLOSE_TIMEOUT` when a `close()` cut it off, and when the stream broke off `RESET`,
   *   `CONNECTION_LOST`, `PEER_SILENT`, or `SESSIONS_CLOSED` because its pool was closed.
   */
  read(options?: WaitOptions): Promise<Uint8Array | null>

  /**
   * Waits for room, then takes all of `bytes`. Concurrent writes never interleave. The bytes belong to the conn from
   * the call on: don't change them before `released` is called, and never without it, unless the write was refused.
   *
   * What was accepted is on its way, not delivered: `close()` waits for that.
   *
   * @throws ConnError as `read` does; when it throws, none of these bytes were taken, except with `handedOn`, where the conn
   *   may have broken off with some of them on their way. `CLOSED` after `closeWrite()`.
   */
  write(bytes: Uint8Array, options?: WriteOptions): Promise<void>

  /**
   * Ends this side's half: the peer reads what is left, then `null`. Reading goes on.
   *
   * @returns once everything accepted has been handed to the transport. Calling it again waits for the same.
   * @throws ConnError when the conn broke off first.
   */
  closeWrite(): Promise<void>

  /**
   * Ends the conn: everything accepted is delivered first, what still arrives is discarded. A peer that doesn't end its
   * own half within `lingerTimeout` is told to stop, and one that doesn't take what was accepted within `closeTimeout` is
   * cut off.
   *
   * @returns once the conn is over, whether now or long before.
   * @throws ConnError when the conn breaks before all that was accepted is handed over: `CLOSE_TIMEOUT`, and what `read`
   *   throws when the stream broke off. One that had broken before has said so to every wait, and in `closed`: then this
   *   is quiet.
   */
  close(): Promise<void>

  /**
   * Breaks the conn off at once, in both directions. Every wait fails with `ABORTED` and `reason` as its cause; the peer
   * sees a reset, where the transport has one: HTTP/2, TCP, a pipe.
   */
  abort(reason?: unknown): void

  /** How the conn ended. Settles once, when its resources are released, and never rejects. */
  readonly closed: Promise<ConnClosed>
}
