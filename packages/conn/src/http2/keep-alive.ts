import type { Http2Session } from 'node:http2'

import { connDefaults } from '../limits.ts'
import { ConnError } from '../errors.ts'
import { queuedBytes, rawSocket, takenBytes } from '../node/handle.ts'
import { afterTurn, clearInterval, clearTimeout, setInterval, setTimeout } from '../runtime/timers.ts'

/** Times in milliseconds. */
export interface KeepAliveTimes {
  readonly pingInterval: number
  readonly pingTimeout: number
}

/**
 * How many timers make up a `pingTimeout`. A process that stands still wastes one of them at most, so that a peer which stood still
 * with it, as the other end of a test or of a machine that was suspended, has the rest to answer in.
 */
const partsOfTimeout = 2

/** What a verdict waits for. */
interface Question {
  /** What had come from the peer when it was asked. */
  readonly bytesRead: number
  /** See {@link takenBytes}. */
  taken: number | undefined
  partsLeft: number
  timer: NodeJS.Timeout | undefined
}

/**
 * Decides whether the peer of a session is still there, on both sides. A peer that falls silent is never noticed by itself
 * (nodejs/node#42710). Two rules hold whatever this process is busy with: a peer is judged by a question that has left, and after
 * what has arrived from it was read.
 */
export class KeepAlive {
  readonly #session: Http2Session
  readonly #times: KeepAliveTimes
  readonly #onDead: (error: ConnError) => void
  #interval: NodeJS.Timeout | undefined
  /** There is one at a time. */
  #question: Question | undefined
  #waitsForSettings = false

  /** @param onDead - learns why the session is of no use any more. It shall destroy it. */
  constructor(session: Http2Session, times: KeepAliveTimes, onDead: (error: ConnError) => void) {
    this.#session = session
    this.#times = times
    this.#onDead = onDead
  }

  /**
   * From now on, asks the peer every `pingInterval`. When nothing at all has come from it within `pingTimeout` of a question, it is
   * dead with `PEER_SILENT`, unless it still takes what this side sends, behind which the question lies. The timers keep no process
   * alive.
   */
  start(): void {
    this.stop()
    this.#interval = setInterval(() => this.#judge(), this.#times.pingInterval).unref()
  }

  stop(): void {
    clearInterval(this.#interval)
    this.#settle()
  }

  /**
   * Asks the peer for a sign of life, and notices a session that Node 20 has given up. When it finds that the peer broke the rules
   * it says GOAWAY, sends and reads nothing any more, and tells nobody. A question that it took and that doesn't leave though the
   * socket is free gives it away.
   */
  ask(onAnswer: () => void = () => {}): void {
    const session = this.#session
    if (session.destroyed) return
    const { socket } = session
    const before = socket.bytesWritten
    if (!this.#send(onAnswer)) return
    afterTurn(() => {
      if (session.destroyed || socket.bytesWritten !== before || queuedBytes(socket) !== 0) return
      this.#onDead(new ConnError('CONNECTION_LOST', 'the HTTP/2 connection was given up: the peer broke the protocol'))
    })
  }

  /**
   * A session that closes, after GOAWAY from either side, takes no more pings, while its streams live on. SETTINGS still leave, and
   * are acknowledged.
   *
   * @returns whether the session took the question. Node takes no ping while ten are unanswered, and ends a session with ten
   *   SETTINGS unanswered, of which there is one here at most.
   */
  #send(onAnswer: () => void): boolean {
    const session = this.#session
    if (!session.closed) {
      return session.ping((error) => {
        if (error === null) onAnswer()
      })
    }
    if (this.#waitsForSettings) return false
    this.#waitsForSettings = true
    session.settings({}, (error) => {
      this.#waitsForSettings = false
      if (error === null) onAnswer()
    })
    return true
  }

  #judge(): void {
    if (this.#session.destroyed) return
    const { socket } = this.#session
    const { bytesRead } = socket
    if (this.#question?.bytesRead === bytesRead) return
    this.#settle()
    const question: Question = { bytesRead, taken: takenBytes(socket), partsLeft: partsOfTimeout, timer: undefined }
    this.#question = question
    // A peer that has not answered earlier questions is judged all the same.
    this.ask(() => this.#settle())
    this.#wait(question)
  }

  #wait(question: Question): void {
    const look = (): void => {
      if (this.#question !== question) return
      const { destroyed, socket } = this.#session
      if (destroyed || socket.bytesRead !== question.bytesRead) {
        this.#settle()
        return
      }
      const taken = takenBytes(socket)
      question.taken ??= taken
      question.partsLeft -= 1
      if (question.partsLeft > 0) this.#wait(question)
      else if (question.taken !== taken) this.#settle()
      else {
        const { pingTimeout } = this.#times
        this.#settle()
        this.#onDead(new ConnError('PEER_SILENT', `the peer did not answer a ping in ${pingTimeout} ms`))
      }
    }
    question.timer = setTimeout(afterTurn, this.#times.pingTimeout / partsOfTimeout, look).unref()
  }

  #settle(): void {
    clearTimeout(this.#question?.timer)
    this.#question = undefined
  }
}

const kept = new WeakSet<Http2Session>()

/** The same for a session of a server, once and for as long as it lives: its streams end with `PEER_SILENT`. */
export function keepServerAlive(session: Http2Session, times: KeepAliveTimes = connDefaults): void {
  if (kept.has(session) || session.destroyed) return
  kept.add(session)
  const keepAlive = new KeepAlive(session, times, (error) => {
    keepAlive.stop()
    const socket = rawSocket(session)
    session.destroy(error)
    // Node waits until the peer has taken the last bytes, which a silent one never does.
    socket.destroy()
  })
  keepAlive.start()
  session.once('close', () => keepAlive.stop())
  // Stays for good: `destroy(error)` tells the session's listeners, and without one the process would end.
  session.on('error', () => {})
}
