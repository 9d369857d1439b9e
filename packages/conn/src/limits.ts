import { ConnError } from './errors.ts'

/** The defaults of this package's options. Times in milliseconds, sizes in bytes. */
export interface ConnDefaults {
  /** How long `connect` may take, from the first packet to the response's headers. */
  readonly connectTimeout: number
  /** How long `close()` waits for the peer to read what was accepted. */
  readonly closeTimeout: number
  /** How long `close()` waits, after that, for the peer to end its own half. */
  readonly lingerTimeout: number
  /** How long a session without streams stays open. */
  readonly idleTimeout: number
  /** How often a session that has streams is pinged. */
  readonly pingInterval: number
  /** How long the answer to a ping may take. */
  readonly pingTimeout: number
  /** How many bytes one end of a memory pipe accepts before it has no room. */
  readonly pipeBuffer: number
}

/** The default of every option of this package. */
export const connDefaults: ConnDefaults = {
  connectTimeout: 10_000,
  closeTimeout: 10_000,
  lingerTimeout: 1_000,
  idleTimeout: 60_000,
  pingInterval: 25_000,
  pingTimeout: 10_000,
  pipeBuffer: 64 * 1024,
}

/** The limits of this package that no option changes. Sizes in bytes. */
export interface ConnLimits {
  /** The receive window of a stream (RFC 9113, section 6.9). */
  readonly streamWindow: number
  /** The receive window of a connection, which all of its streams share. */
  readonly connectionWindow: number
  /** How many bytes a conn of a Node stream reads ahead of its reader. */
  readonly readAhead: number
  /** How much memory Node may hold for a client session (`maxSessionMemory`). Unit: megabytes. */
  readonly sessionMemory: number
  /** How many connections to one origin a pool opens at most, when the peer accepts few streams on each. */
  readonly sessionsPerOrigin: number
  /** How many connections to one origin may drain, in addition to those, before a pool opens no more. */
  readonly drainingPerOrigin: number
  /**
   * The size of the headers of a request or a response, counted as RFC 9113 does (section 6.5.2: 32 bytes for each
   * header in addition to name and value). The limit of a peer may be lower.
   */
  readonly headerBytes: number
  /** How many bytes of the body of a response other than 2xx an error carries. */
  readonly refusalBody: number
}

/** The value of every limit that no option changes. */
export const connLimits: ConnLimits = {
  streamWindow: 1024 * 1024,
  connectionWindow: 16 * 1024 * 1024,
  readAhead: 64 * 1024,
  sessionMemory: 1_024,
  sessionsPerOrigin: 100,
  drainingPerOrigin: 1_000,
  headerBytes: 64 * 1024,
  refusalBody: 32 * 1024,
}

/** How long the end of a conn may take. Times in milliseconds. */
export interface CloseTimeouts {
  /** How long `close()` waits for the peer to read what was accepted. Default: 10 s. */
  readonly closeTimeout?: number | undefined
  /** How long `close()` waits, after that, for the peer to end its own half. Default: 1 s. */
  readonly lingerTimeout?: number | undefined
}

/** Returns the timeouts, with the defaults of those not given. Throws `INVALID_ARGUMENT` for an invalid one. */
export function resolveTimeouts(given: CloseTimeouts): Pick<ConnDefaults, keyof CloseTimeouts> {
  if (given.closeTimeout === undefined && given.lingerTimeout === undefined) return connDefaults
  return {
    closeTimeout: checkDelay('closeTimeout', given.closeTimeout ?? connDefaults.closeTimeout),
    lingerTimeout: checkDelay('lingerTimeout', given.lingerTimeout ?? connDefaults.lingerTimeout),
  }
}

/** The longest delay of a timer. A longer one fires at once. Unit: milliseconds. */
export const maxDelay: number = 2 ** 31 - 1

/** Returns `value`. Throws `INVALID_ARGUMENT` unless a timer can wait that long. */
export function checkDelay(name: string, value: number): number {
  if (value > 0 && value <= maxDelay) return value
  throw new ConnError('INVALID_ARGUMENT', `${name} must be above 0 and at most ${maxDelay} ms, not ${value}`)
}
