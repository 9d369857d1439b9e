import type { Http2Session } from 'node:http2'

import { connDefaults } from '../limits.ts'
import { ConnError } from '../errors.ts'
import { queuedBytes, rawSocket, takenBytes } from '../node/handle.ts'
import { afterTurn, clearInterval, clearTimeout, now, setInterval, setTimeout } from '../runtime/timers.ts'

/** Times in milliseconds. */
export interface KeepAliveTimes {
  readonly pingInterval: number
  readonly pingTimeout: number
}

/**
 * How many timers make up a `pingTimeout`. A process that was suspended finds at most one of them expired, so that a
 * peer which was suspended with it, on the same machine, has the rest of the time to answer.
 */
const timeoutParts = 2

/** A ping whose answer is awaited, and the state of the socket when it was sent. */
interface Probe {
  readonly bytesRead: number
  /** See {@link takenBytes}. */
  taken: number | undefined
  partsLeft: number
  timer: NodeJS.Timeout | undefined
}

/**
 * Finds out whether the peer of a session still responds. Node does not notice a peer that falls silent
 * (nodejs/node#42710).
 *
 * However busy this process is, it declares a peer dead only after a ping has left, and after it has read all that has
 * arrived.
 */
export class KeepAlive {
  readonly #session: Http2Session
  readonly #times: KeepAliveTimes
  readonly #onDead: (error: ConnError) => void
  #interval: NodeJS.Timeout | undefined
  #probe: Probe | undefined
  #awaitsSettings = false

  /** @param onDead - is called with the reason why the session is of no more use, and shall destroy it. */
  constructor(session: Http2Session, times: KeepAliveTimes, onDead: (error: ConnError) => void) {
    this.#session = session
    this.#times = times
    this.#onDead = onDead
  }

  /**
   * Starts to ping the peer every `pingInterval`. A peer from which nothing at all arrives within `pingTimeout` is dead
   * (`PEER_SILENT`), unless it still takes what this side sends: then the ping waits behind that. The timers keep no
   * process alive.
   */
  start(): void {
    this.stop()
    this.#interval = setInterval(() => this.#check(), this.#times.pingInterval).unref()
  }

  stop(): void {
    clearInterval(this.#interval)
    this.#endProbe()
  }

  /**
   * Pings the peer. Also notices a session that Node 20 gave up because the peer broke the protocol: such a session has
   * sent GOAWAY, sends and reads nothing more, and emits nothing. It accepts the ping, but the ping does not leave
   * although the socket is free.
   */
  ping(onAnswer: () => void = () => {}): void {
    const session = this.#session
    if (session.destroyed) return
    const { socket } = session
    const before = socket.bytesWritten
    if (!this.#send(onAnswer)) return
    afterTurn(() => {
      if (session.destroyed || socket.bytesWritten !== before || queuedBytes(socket) !== 0) return
      this.#onDead(new ConnError('CONNECTION_LOST', 'the HTTP/2 connection failed: the peer broke the protocol'))
    })
  }

  /**
   * Sends a PING, or SETTINGS to a session that closes after GOAWAY from either side: it accepts no more pings, while
   * its streams live on, and SETTINGS are acknowledged too.
   *
   * @returns whether the session accepted it. Node accepts no ping while ten are unanswered. It ends a session with ten
   *   unanswered SETTINGS, so one at a time is sent.
   */
  #send(onAnswer: () => void): boolean {
    const session = this.#session
    if (!session.closed) {
      return session.ping((error) => {
        if (error === null) onAnswer()
      })
    }
    if (this.#awaitsSettings) return false
    this.#awaitsSettings = true
    session.settings({}, (error) => {
      this.#awaitsSettings = false
      if (error === null) onAnswer()
    })
    return true
  }

  #check(): void {
    if (this.#session.destroyed) return
    const { socket } = this.#session
    const { bytesRead } = socket
    if (this.#probe?.bytesRead === bytesRead) return
    this.#endProbe()
    const probe: Probe = { bytesRead, taken: takenBytes(socket), partsLeft: timeoutParts, timer: undefined }
    this.#probe = probe
    // The timeout runs even if the session accepts no ping because earlier ones are unanswered.
    this.ping(() => this.#endProbe())
    this.#wait(probe)
  }

  #wait(probe: Probe): void {
    const onTimeout = (): void => {
      if (this.#probe !== probe) return
      const { destroyed, socket } = this.#session
      if (destroyed || socket.bytesRead !== probe.bytesRead) {
        this.#endProbe()
        return
      }
      const taken = takenBytes(socket)
      probe.taken ??= taken
      probe.partsLeft -= 1
      if (probe.partsLeft > 0) {
        this.#wait(probe)
        return
      }
      this.#endProbe()
      if (probe.taken !== taken) return
      this.#onDead(new ConnError('PEER_SILENT', `the peer did not answer a ping in ${this.#times.pingTimeout} ms`))
    }
    probe.timer = setTimeout(afterTurn, this.#times.pingTimeout / timeoutParts, onTimeout).unref()
  }

  #endProbe(): void {
    clearTimeout(this.#probe?.timer)
    this.#probe = undefined
  }
}

const kept = new WeakSet<Http2Session>()

/** Pings the client of a server's session for as long as the session lives. Does nothing when called again for it. */
export function keepServerAlive(session: Http2Session, times: KeepAliveTimes = connDefaults): void {
  if (kept.has(session) || session.destroyed) return
  kept.add(session)
  const keepAlive = new KeepAlive(session, times, (error) => {
    keepAlive.stop()
    const socket = rawSocket(session)
    session.destroy(error)
    // Node would wait until the peer has read the last bytes, which a silent peer never does.
    socket.destroy()
  })
  keepAlive.start()
  session.once('close', () => keepAlive.stop())
  // It stays: `destroy(error)` emits the error, and without a listener the process would end.
  session.on('error', () => {})
}

/** When to ping a peer whose response is awaited, counted from the request. Unit: milliseconds. */
const responsePings: readonly number[] = [50, 150, 350]

/**
 * Pings the peer of a session a few times while a response is awaited. Some proxies hold headers back until they have
 * something else to send (nginx with TLS, docs/operate/proxies.md), and the answer to a ping makes them send. It also
 * tells a slow peer from a dead one. Its timer keeps no process alive. Where no response is awaited any more, the timer
 * is left to expire: one that is set and cleared for each request takes longer.
 */
export class ResponsePings {
  readonly #ping: () => void
  #waiting = 0
  #requestedAt = 0
  /** How many pings were sent since then. */
  #count = 0
  #timer: NodeJS.Timeout | undefined

  constructor(ping: () => void) {
    this.#ping = ping
  }

  /** A response is awaited. Steady requests postpone the pings: their own traffic already makes the proxy send. */
  onRequest(): void {
    this.#waiting += 1
    this.#requestedAt = now()
    // It is that of a later ping, for a request before.
    if (this.#count > 0 && this.#timer !== undefined) {
      clearTimeout(this.#timer)
      this.#timer = undefined
    }
    this.#count = 0
    this.#timer ??= this.#wait(responsePings[0] ?? 0)
  }

  /** A response that was awaited has come, or will never come. */
  onAnswer(): void {
    this.#waiting -= 1
  }

  #wait(delay: number): NodeJS.Timeout {
    return setTimeout(onResponseTimer, delay, this).unref()
  }

  onTimer(): void {
    this.#timer = undefined
    if (this.#waiting === 0) return
    const waited = now() - this.#requestedAt
    // Timers may be early by less than a millisecond.
    if (waited >= (responsePings[this.#count] ?? Infinity) - 1) {
      this.#count += 1
      this.#ping()
    }
    const next = responsePings[this.#count]
    if (next !== undefined) this.#timer = this.#wait(Math.max(1, next - waited))
  }
}

const onResponseTimer = (pings: ResponsePings): void => pings.onTimer()
