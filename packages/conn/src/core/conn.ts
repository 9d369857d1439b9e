import type { ConnError } from '../errors.ts'

/** The options of a wait. An aborted wait changes nothing: no byte is lost, and the conn stays usable. */
export interface WaitOptions {
  /**
   * Ends the wait: with `TIMEOUT` for an `AbortSignal.timeout(ms)`, with `CANCELLED` for any other. `null` means no
   * signal. Anything else that is not a signal is rejected with `INVALID_ARGUMENT` before the call has any effect.
   */
  readonly signal?: AbortSignal | null | undefined
}

/** The options of a write. */
export interface WriteOptions extends WaitOptions {
  /**
   * Waits until the transport has handed the bytes on, and not only until there was room for them. It is for a writer
   * that gathers bytes meanwhile: many small writes that wait would each hold a buffer. A conn that does not know when
   * bytes are handed on resolves as it does without the option. The signal ends only the wait for room.
   */
  readonly handedOn?: boolean | undefined
  /**
   * Called once when accepted bytes belong to the caller again, because nothing reads them any more. Do not wait for
   * the call: a conn need not make it. A conn over HTTP/2 does not make it for bytes that were not handed on when the
   * stream ended. A conn that hands bytes on to another passes this function only with the last reference to them.
   */
  readonly released?: (() => void) | undefined
}

/**
 * How a conn ended. It ended cleanly if this side's half was handed on whole and the peer ended its own half, or this
 * side closed without waiting any longer for that. Otherwise an error ended it.
 */
export type ConnClosed = { readonly clean: true } | { readonly clean: false; readonly error: ConnError }

/**
 * A full-duplex stream of bytes between two programs. Its halves are independent: either side may end its own half and
 * still use the other.
 *
 * Every wait ends when the conn does, at the latest, with an error that says why.
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
   * Waits for the next chunk. Concurrent reads are served in the order of the calls. The bytes then belong to the
   * caller. The `ArrayBuffer` below them does not, since others may share it: do not transfer it.
   *
   * @returns a chunk of at least one byte, or `null` once the peer has ended its half and all of it was read.
   * @throws ConnError `TIMEOUT` or `CANCELLED` when the signal ended the wait, `CLOSED` after `close()`, `ABORTED`
   *   after `abort()`, `CLOSE_TIMEOUT` when a `close()` took too long, and when the stream broke `RESET`,
   *   `CONNECTION_LOST`, `PEER_SILENT`, or `SESSIONS_CLOSED` because its pool was closed.
   */
  read(options?: WaitOptions): Promise<Uint8Array | null>

  /**
   * Waits for room, then accepts all of `bytes`. Concurrent writes never interleave. The bytes belong to the conn from
   * the call on. Do not change them before `released` is called, and never without it, unless the write was rejected.
   *
   * Accepted bytes are on their way, not delivered: `close()` waits for the delivery.
   *
   * @throws ConnError the codes of `read`, and `CLOSED` after `closeWrite()`. No byte was accepted then. With
   *   `handedOn` some of them may have left already when the conn broke.
   */
  write(bytes: Uint8Array, options?: WriteOptions): Promise<void>

  /**
   * Ends this side's half: the peer reads what is left, then `null`. This side can still read.
   *
   * @returns once everything accepted has been handed to the transport. Further calls wait for the same.
   * @throws ConnError when the conn broke first.
   */
  closeWrite(): Promise<void>

  /**
   * Ends the conn. Everything accepted is delivered first, and bytes that still arrive are discarded. A peer that does
   * not end its own half within `lingerTimeout` is reset, and so is one that does not read what was accepted within
   * `closeTimeout`.
   *
   * @returns once the conn has ended, also if it ended long before.
   * @throws ConnError when the conn breaks before everything accepted was handed on: `CLOSE_TIMEOUT`, and the codes of
   *   `read` for a stream that broke. A conn that had broken before does not throw: every wait and `closed` have
   *   reported that already.
   */
  close(): Promise<void>

  /**
   * Ends the conn at once, in both directions. Every wait fails with `ABORTED` and `reason` as its cause. The peer
   * receives a reset where the transport has one: HTTP/2, TCP, a pipe.
   */
  abort(reason?: unknown): void

  /** How the conn ended. Settles once, when the conn's resources are released, and never rejects. */
  readonly closed: Promise<ConnClosed>
}
