import type { Http2Session } from 'node:http2'

import { connDefaults } from './defaults.ts'
import { ConnError } from './errors.ts'

/** Times in milliseconds. */
export interface KeepAliveTimes {
  readonly pingInterval: number
  readonly pingTimeout: number
}

/**
 * Pings the peer of a session every `pingInterval`, and tells `onSilent` when nothing at all came from it within
 * `pingTimeout` of a ping. A peer that falls silent is never noticed by itself (nodejs/node#42710).
 *
 * @returns a function that stops it. Its timers keep no process alive.
 */
export function keepAlive(
  session: Http2Session,
  { pingInterval, pingTimeout }: KeepAliveTimes,
  onSilent: (error: ConnError) => void,
): () => void {
  let judging: NodeJS.Timeout | undefined
  const ping = (): void => {
    if (session.destroyed) return
    const { socket } = session
    const before = socket.bytesRead
    judging = setTimeout(() => {
      if (session.destroyed || socket.bytesRead !== before) return
      onSilent(new ConnError('PEER_SILENT', `the peer did not answer a ping in ${pingTimeout} ms`))
    }, pingTimeout).unref()
    const judged = judging
    // Node cancels further pings while ten are unanswered. The peer is judged all the same.
    session.ping((error) => {
      if (error === null) clearTimeout(judged)
    })
  }
  const pinging = setInterval(ping, pingInterval).unref()
  return () => {
    clearInterval(pinging)
    clearTimeout(judging)
  }
}

const kept = new WeakSet<Http2Session>()

/** The same for a session of a server, once and for as long as it lives: its streams end with `PEER_SILENT`. */
export function keepServerAlive(session: Http2Session, times: KeepAliveTimes = connDefaults): void {
  if (kept.has(session) || session.destroyed) return
  kept.add(session)
  const stop = keepAlive(session, times, (error) => session.destroy(error))
  session.once('close', stop)
  // Stays for good: `destroy(error)` tells the session's listeners, and without one the process would end.
  session.on('error', () => {})
}
