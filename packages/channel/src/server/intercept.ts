import { widenWindows } from '@h2channel/conn'
import type { EventEmitter } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type {
  Http2SecureServer,
  Http2Server,
  IncomingHttpHeaders,
  ServerHttp2Session,
  ServerHttp2Stream,
} from 'node:http2'

import { ChannelError } from '../errors.ts'
import { refuse, refuseHttp1 } from './respond.ts'

/** A server that a router can be attached to. */
export type Attachable = Http2Server | Http2SecureServer

/** Takes requests out of what a server gets. Each says whether the request was for it. */
export interface Taker {
  /** A connection was made. */
  takeSession(session: ServerHttp2Session): void
  takeStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean
  /** Requests of HTTP/1, which come no other way. Those of HTTP/2 come as streams. */
  takeRequest(request: IncomingMessage, response: ServerResponse): boolean
}

/** Who is attached to a server, in order. */
const takersOf = new WeakMap<EventEmitter, Set<Taker>>()

/**
 * Puts `taker` before the listeners of `server`, whenever those are added. Node tells of a request by emitting it, so that
 * is where it is taken: a listener could not keep it from the others.
 *
 * @returns a function that takes it away again.
 * @throws ChannelError `INVALID_ARGUMENT` when it is there already.
 */
export function attach(server: Attachable, taker: Taker): () => void {
  const emitter: EventEmitter = server
  const takers = takersOf.get(emitter) ?? intercept(emitter)
  if (takers.has(taker)) throw new ChannelError('INVALID_ARGUMENT', 'the router is attached to this server already')
  takers.add(taker)
  let isAttached = true
  return () => {
    // Called again, it leaves alone who was attached anew.
    if (isAttached) takers.delete(taker)
    isAttached = false
  }
}

function intercept(emitter: EventEmitter): Set<Taker> {
  const takers = new Set<Taker>()
  takersOf.set(emitter, takers)
  const { emit } = emitter
  emitter.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (takers.size === 0 || (event !== 'stream' && event !== 'request')) return emit.call(emitter, event, ...values)
    return isTaken(takers, event, values) || emit.call(emitter, event, ...values) || answer(event, values)
  }
  emitter.on('session', (session: ServerHttp2Session) => {
    if (takers.size > 0) widenWindows(session)
    for (const taker of takers) taker.takeSession(session)
  })
  return takers
}

function isTaken(takers: ReadonlySet<Taker>, event: string, [source, detail]: readonly unknown[]): boolean {
  for (const taker of takers) {
    if (event === 'stream') {
      if (taker.takeStream(source as ServerHttp2Stream, detail as IncomingHttpHeaders)) return true
    } else if ((source as IncomingMessage).httpVersionMajor < 2) {
      if (taker.takeRequest(source as IncomingMessage, detail as ServerResponse)) return true
    }
  }
  return false
}

/** Answers a request that nobody listens for. */
function answer(event: string, [source, detail]: readonly unknown[]): true {
  if (event === 'stream') refuse(source as ServerHttp2Stream, 404, 'no such route')
  else refuseHttp1(detail as ServerResponse, 404, 'no such route')
  return true
}
