import type { Http2Session } from 'node:http2'

import { connDefaults } from './defaults.ts'
import { ConnError } from './errors.ts'
import { queuedBytes, rawSocket } from './node-handle.ts'

/** Times in milliseconds. */
export interface KeepAliveTimes {
  readonly pingInterval: number
  readonly pingTimeout: number
}

/**
 * Pings the peer of a session every `pingInterval`, and tells `onDead` when nothing at all came from it within
 * `pingTimeout` of a ping, or that the session is dead already. A peer that falls silent is never noticed by itself
 * (nodejs/node#42710).
 *
 * @returns a function that stops it. Its timers keep no process alive.
 */
export function keepAlive(
  session: Http2Session,
  { pingInterval, pingTimeout }: KeepAliveTimes,
  onDead: (error: ConnError) => void,
): () => void {
  let judging: NodeJS.Timeout | undefined
  const ping = (): void => {
    if (session.destroyed || judging !== undefined) return
    const { socket } = session
    const before = socket.bytesRead
    judging = setTimeout(() => {
      judging = undefined
      if (session.destroyed || socket.bytesRead !== before) return
      onDead(new ConnError('PEER_SILENT', `the peer did not answer a ping in ${pingTimeout} ms`))
    }, pingTimeout).unref()
    // Node cancels further pings while ten are unanswered. The peer is judged all the same.
    sendPing(session, onDead, () => {
      clearTimeout(judging)
      judging = undefined
    })
  }
  const pinging = setInterval(ping, pingInterval).unref()
  return () => {
    clearInterval(pinging)
    clearTimeout(judging)
  }
}

/** How long a ping may take to leave, while the socket has nothing else to send. Unit: milliseconds. */
const timeToLeave = 50

/**
 * Pings, and notices a session that Node 20 has given up. When it finds that the peer broke the rules it says GOAWAY,
 * sends and reads nothing any more, and tells nobody. A ping that it took and that doesn't leave though the socket is
 * free gives it away.
 */
export function sendPing(session: Http2Session, onDead: (error: ConnError) => void, onAnswer: () => void): void {
  const { socket } = session
  const before = socket.bytesWritten
  const isTaken = session.ping((error) => {
    if (error === null) onAnswer()
  })
  if (!isTaken) return
  setTimeout(() => {
    if (session.destroyed || socket.bytesWritten !== before || queuedBytes(socket) !== 0) return
    onDead(new ConnError('CONNECTION_LOST', 'the HTTP/2 connection was given up: the peer broke the protocol'))
  }, timeToLeave).unref()
}

const kept = new WeakSet<Http2Session>()

/** The same for a session of a server, once and for as long as it lives: its streams end with `PEER_SILENT`. */
export function keepServerAlive(session: Http2Session, times: KeepAliveTimes = connDefaults): void {
  if (kept.has(session) || session.destroyed) return
  kept.add(session)
  const stop = keepAlive(session, times, (error) => {
    stop()
    const socket = rawSocket(session)
    session.destroy(error)
    // Node waits until the peer has taken the last bytes, which a silent one never does.
    socket.destroy()
  })
  session.once('close', stop)
  // Stays for good: `destroy(error)` tells the session's listeners, and without one the process would end.
  session.on('error', () => {})
}
