import type { Socket } from 'node:net'

import { dispatchedBytes, queuedBytes } from './handle.ts'
import { setTimeout } from '../runtime/timers.ts'

/** The wait before the first look, and the longest wait between two looks. Unit: milliseconds. */
const firstPause = 20
const maxPause = 1_000

/** Bytes that were written to a stream. */
export interface Written {
  readonly bytes: Uint8Array
  /** The bytes dispatched to the socket before. See {@link dispatchedBytes}. */
  readonly dispatched: number | undefined
}

/**
 * Keeps the bytes that a destroyed stream has written for as long as the socket may still read them. Node completes
 * such writes at once, and drops its references to bytes that libuv still sends. Without this, the peer would be sent
 * whatever then lies at their place in memory, or the process would die. This is needed for cleartext; TLS has a copy.
 *
 * A session gives its socket no bytes while others are on their way (`is_sending` in Node's `node_http2.cc`). So only
 * bytes written before the last dispatch can be in flight, and they have left once the socket is given more.
 */
export function retainInFlight(socket: Socket, written: readonly Written[]): void {
  const dispatched = dispatchedBytes(socket)
  const inFlight = written.filter((one) => one.dispatched !== dispatched)
  if (inFlight.length > 0) retain(socket, inFlight, dispatched, firstPause)
}

/** Looks again and again. Its timer has the only reference to the bytes. */
function retain(socket: Socket, written: readonly Written[], dispatched: number | undefined, pause: number): void {
  if ((queuedBytes(socket) ?? 0) === 0 || dispatchedBytes(socket) !== dispatched) return
  setTimeout(retain, pause, socket, written, dispatched, Math.min(2 * pause, maxPause)).unref()
}
