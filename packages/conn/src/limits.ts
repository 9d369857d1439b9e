import { ConnError } from './errors.ts'

/** Every limit of this package, all finite. Times in milliseconds, sizes in bytes. */
export interface ConnDefaults {
  /** How long `connect` may take, from the first packet to the response's headers. */
  readonly connectTimeout: number
  /** How long `close()` waits for the peer to take what was accepted. */
  readonly closeTimeout: number
  /** How long `close()` waits, after that, for the peer to end its own half. */
  readonly lingerTimeout: number
  /** The receive window of a stream (RFC 9113, section 6.9). */
  readonly streamWindow: number
  /** The receive window of a connection, which all of its streams share. */
  readonly connectionWindow: number
  /** How much a conn of a Node stream takes in ahead of its reader. */
  readonly readAhead: number
  /** What Node may hold for a session of ours, in megabytes (`maxSessionMemory`). */
  readonly sessionMemory: number
  /** How many connections to one origin a pool opens at most, where the peer takes few streams on each. */
  readonly sessionsPerOrigin: number
  /** How many connections to one origin, beside those, may drain before a pool opens no more. */
  readonly drainingPerOrigin: number
  /** How long a session without streams stays open. */
  readonly idleTimeout: number
  /** How often a session that has streams is pinged. */
  readonly pingInterval: number
  /** How long the answer to a ping may take. */
  readonly pingTimeout: number
  /**
   * How much the headers of a request or a response may take, counted as RFC 9113 has it (section 6.5.2: 32 bytes for each beside
   * name and value). A peer may take less.
   */
  readonly headerBytes: number
  /** How much of a refusing response's body an error carries. */
  readonly refusalBody: number
  /** How much one end of a memory pipe takes before it has no room. */
  readonly pipeBuffer: number
}

export const connDefaults: ConnDefaults = {
  connectTimeout: 10_000,
  closeTimeout: 10_000,
  lingerTimeout: 1_000,
  streamWindow: 1024 * 1024,
  connectionWindow: 16 * 1024 * 1024,
  readAhead: 64 * 1024,
  sessionMemory: 1_024,
  sessionsPerOrigin: 100,
  drainingPerOrigin: 1_000,
  idleTimeout: 60_000,
  pingInterval: 25_000,
  pingTimeout: 10_000,
  headerBytes: 64 * 1024,
  refusalBody: 32 * 1024,
  pipeBuffer: 64 * 1024,
}

/** Beyond it, timers fire at once. Unit: milliseconds. */
export const longestDelay: number = 2 ** 31 - 1

/** Throws `INVALID_ARGUMENT` for what is no delay that a timer can keep. */
export function checkedDelay(name: string, value: number): number {
  if (value > 0 && value <= longestDelay) return value
  throw new ConnError('INVALID_ARGUMENT', `${name} must be above 0 and at most ${longestDelay} ms, not ${value}`)
}
