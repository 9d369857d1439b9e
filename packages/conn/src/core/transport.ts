import type { ConnError } from '../errors.ts'

/**
 * What a stream of bytes must offer to become a {@link StreamConn}: six synchronous calls, answered by events. It holds
 * no state that the conn keeps already, and makes no decisions but one: what its failure is called.
 */
export interface Transport {
  /** How many bytes it delivers before anybody asks, where holding them costs less than to pause: none unless said otherwise. */
  readonly readAhead?: number
  /** Called once, before everything else. The transport is paused then. */
  start(events: TransportEvents): void
  /** Chunks may come from now on. */
  resume(): void
  /** No further chunks, please. Those that can't be held back may still come. */
  pause(): void
  /**
   * Takes `bytes`. Returns whether there is room for more; if not, `drain` follows. `done` is called once the bytes were
   * handed on whole, unless the transport closes first: with `true` where nothing refers to them any more.
   */
  write(bytes: Uint8Array, done?: (isReleased: boolean) => void): boolean
  /** Nothing more will be written. `finish` follows once everything was handed on. */
  end(): void
  /**
   * Gives up what is still open: after an error, everything at once; without one, both halves are done with as far as
   * this side goes. `close` follows in either case.
   */
  destroy(error: ConnError | null): void
}

/** What happens to a transport, which calls these methods. They need their `this`. */
export interface TransportEvents {
  chunk(bytes: Uint8Array): void
  /** The peer ended its half, and said so. */
  end(): void
  drain(): void
  finish(): void
  /** It is over, and this is the last event. `error` says why when a half was still open. */
  close(error: ConnError): void
}
