import type { Socket } from 'node:net'

import { dispatchedBytes, queuedBytes } from './handle.ts'
import { setTimeout } from '../runtime/timers.ts'

/** How long to wait before the first look, and at most between two looks. Unit: milliseconds. */
const firstPause = 20
const longestPause = 1_000

/** Bytes that were written to a stream. */
export interface Written {
  readonly bytes: Uint8Array
  /** What the socket had been given before. See {@link dispatchedBytes}. */
  readonly dispatched: number | undefined
}

/**
 * Keeps what a stream that is destroyed has written for as long as the socket may still read it. Node completes such
 * writes at once, and with that drops its references to bytes that libuv goes on sending: whatever takes their place in memory
 * would be sent to the peer in theirs, or the process would die. That is so for cleartext; TLS has a copy.
 *
 * A session gives its socket no bytes while others are on their way (`is_sending` in Node's `node_http2.cc`). So only bytes
 * that were written before the socket was given its last ones can be among those, and they are through once it is given
 * more.
 */
export function retainInFlight(socket: Socket, written: readonly Written[]): void {
  const dispatched = dispatchedBytes(socket)
  const inFlight = written.filter((one) => one.dispatched !== dispatched)
  if (inFlight.length > 0) keep(socket, inFlight, dispatched, firstPause)
}

/** The timer has the only reference to the bytes. */
function keep(socket: Socket, written: readonly Written[], dispatched: number | undefined, pause: number): void {
  if ((queuedBytes(socket) ?? 0) === 0 || dispatchedBytes(socket) !== dispatched) return
  setTimeout(keep, pause, socket, written, dispatched, Math.min(2 * pause, longestPause)).unref()
}
