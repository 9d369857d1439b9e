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
import { respond, respondHttp1 } from '../request/respond.ts'

/** A server that a router can be attached to. */
export type Attachable = Http2Server | Http2SecureServer

/** Receives the requests of a server before its listeners do. */
export interface RequestInterceptor {
  /** Called for each new connection. */
  onSession(session: ServerHttp2Session): void
  /** Called for each HTTP/2 request. Returns whether it handles the request, which then reaches no listener. */
  onStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): boolean
  /** Called for each HTTP/1 request. Returns whether it handles the request, which then reaches no listener. */
  onRequest(request: IncomingMessage, response: ServerResponse): boolean
}

/** The interceptors of each server, in order. */
const interceptors = new WeakMap<EventEmitter, Set<RequestInterceptor>>()

/**
 * Puts `interceptor` before the listeners of `server`, including listeners that are added later. Node emits each
 * request, and a listener can't hide an event from other listeners: `emit` itself is replaced.
 *
 * @returns a function that removes it again.
 * @throws ChannelError `INVALID_ARGUMENT` when it is attached to `server` already.
 */
export function attach(server: Attachable, interceptor: RequestInterceptor): () => void {
  const emitter: EventEmitter = server
  const attached = interceptors.get(emitter) ?? intercept(emitter)
  if (attached.has(interceptor)) {
    throw new ChannelError('INVALID_ARGUMENT', 'the router is attached to this server already')
  }
  attached.add(interceptor)
  let isAttached = true
  return () => {
    // A second call must not detach what was attached again since.
    if (isAttached) attached.delete(interceptor)
    isAttached = false
  }
}

function intercept(emitter: EventEmitter): Set<RequestInterceptor> {
  const attached = new Set<RequestInterceptor>()
  interceptors.set(emitter, attached)
  const { emit } = emitter
  emitter.emit = (event: string | symbol, ...values: unknown[]): boolean => {
    if (attached.size === 0 || (event !== 'stream' && event !== 'request')) return emit.call(emitter, event, ...values)
    return isHandled(attached, event, values) || emit.call(emitter, event, ...values) || respondNotFound(event, values)
  }
  emitter.on('session', (session: ServerHttp2Session) => {
    if (attached.size > 0) widenWindows(session)
    for (const interceptor of attached) interceptor.onSession(session)
  })
  return attached
}

function isHandled(
  attached: ReadonlySet<RequestInterceptor>,
  event: string,
  [source, detail]: readonly unknown[],
): boolean {
  for (const interceptor of attached) {
    if (event === 'stream') {
      if (interceptor.onStream(source as ServerHttp2Stream, detail as IncomingHttpHeaders)) return true
    } else if ((source as IncomingMessage).httpVersionMajor < 2) {
      if (interceptor.onRequest(source as IncomingMessage, detail as ServerResponse)) return true
    }
  }
  return false
}

/** Answers a request that has no listener. */
function respondNotFound(event: string, [source, detail]: readonly unknown[]): true {
  const rejection = { status: 404, message: 'no such route' }
  if (event === 'stream') respond(source as ServerHttp2Stream, rejection)
  else respondHttp1(detail as ServerResponse, rejection)
  return true
}
