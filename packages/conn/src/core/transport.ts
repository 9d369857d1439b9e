import type { ConnError } from '../errors.ts'

/**
 * The stream of bytes below a {@link StreamConn}: six synchronous calls, answered by events. A transport holds no state
 * that the conn holds, and decides nothing but the error of its failure.
 */
export interface Transport {
  /** How many bytes it delivers before any read, where that costs less than a pause. Default: 0. */
  readonly readAhead?: number
  /**
   * Whether nothing but the platform reads the bytes of a write, which may then share their memory with others.
   * Default: false.
   */
  readonly hidesBytes?: boolean
  /** Whether it has room at the start: something may have been written to it before. Default: true. */
  readonly hasRoom?: boolean
  /** Called once, before every other method. The transport is paused then. */
  start(events: TransportEvents): void
  /** Allows chunks to come, once it has returned. */
  resume(): void
  /** Asks for no further chunks. Chunks that cannot be held back may still come. */
  pause(): void
  /**
   * Accepts `bytes`. Returns whether there is room for more; otherwise the event `drain` follows. `done` is called once
   * the bytes were handed on whole, in the order of the writes, unless the transport closes first. It gets `true` if
   * nothing refers to them any more.
   */
  write(bytes: Uint8Array, done?: (isReleased: boolean) => void): boolean
  /** Ends this side's half. The event `finish` follows once everything was handed on. */
  end(): void
  /**
   * Ends the halves that are still open. With an error, everything is dropped at once. With `null`, this side has
   * finished with both halves. The event `close` follows in either case.
   */
  destroy(error: ConnError | null): void
  /**
   * The conn was aborted after both halves had ended. Only a transport has it that closes when the peer has everything:
   * it may close before that.
   */
  abandon?(error: ConnError): void
}

/** The events of a transport, which calls these methods as methods: they need their `this`. */
export interface TransportEvents {
  chunk(bytes: Uint8Array): void
  /** The peer ended its half explicitly. */
  end(): void
  /** There is room to write again. */
  drain(): void
  /** Everything was handed on, after `end`. */
  finish(): void
  /**
   * The transport has closed. This is the last event. `error` says why, for a half that was still open. It may be left
   * out after both `end` and `finish`: an error with a stack for every clean end would take longer than the end. With
   * `isLost`, what was handed on may not have arrived: the conn then ends with the error even after both.
   */
  close(error?: ConnError, isLost?: boolean): void
}
