import { ConnError } from '@h2channel/conn'
import type { Http2Session, IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'

import { ChannelError } from '../errors.ts'
import type { Admission } from '../limits/admission.ts'
import type { Ages, Drain } from '../limits/drain.ts'
import type { Links } from '../limits/links.ts'
import type { Quota } from '../limits/quota.ts'
import type { Rejection } from '../limits/rejection.ts'
import type { RouteResume } from '../limits/resume.ts'
import type { OpenRequestEvent } from '../observe/diagnostics.ts'
import { diagnostics } from '../observe/diagnostics.ts'
import { callHook, printError } from '../observe/hooks.ts'
import type { ChannelLimits } from '../options.ts'
import type { Format } from '../route/media-types.ts'
import type { Route } from '../route/route.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Authorize, ChannelRequest } from './authorize.ts'
import { createRequest } from './authorize.ts'
import type { Handler, HandlerContext } from './handler-context.ts'
import type { PresetHeaders, Responses } from './headers.ts'
import { failedToOpen, respond } from './respond.ts'

/** The source of an error: the context of a handler, or the request that `authorize` was called for. */
export type ErrorContext<Auth = unknown> = HandlerContext<string, Auth> | ChannelRequest

/** A route, and how it is served. */
export interface ServedRoute<Auth> {
  readonly route: Route
  readonly receives: readonly Format<unknown>[]
  readonly sends: readonly Format<unknown>[]
  /** The media types of `sends`, as a client that has the same route lists them. */
  readonly offer: string
  /** The responses that open a channel, by the format of the server. */
  readonly responses: Responses
  readonly limits: ChannelLimits
  /** Maximum size of the headers of a request. Unit: bytes. */
  readonly maxHeaderBytes: number
  readonly ages: Ages
  /** How its channels outlive their connections, if they do. */
  readonly resume: RouteResume
  readonly quota: Quota
  readonly handler: Handler<string, unknown, unknown, Auth>
  readonly onInvalid: ((error: ChannelError, context: HandlerContext<string, Auth>) => 'close' | 'skip') | undefined
  readonly onSlow: ((waited: number, context: HandlerContext<string, Auth>) => 'wait' | 'close') | undefined
}

/** What the requests of a router share. */
export interface RouterState<Auth> {
  readonly admission: Admission
  readonly drain: Drain
  readonly links: Links
  readonly origins: ReadonlySet<string>
  readonly authorize: Authorize<Auth> | undefined
  /** Unit: milliseconds. */
  readonly authorizeTimeout: number
  readonly onError: ((error: unknown, context: ErrorContext<Auth>) => void) | undefined
  readonly clock: Clock
}

export interface OpenRequest<Auth> {
  readonly served: ServedRoute<Auth>
  readonly params: Record<string, string>
  readonly router: RouterState<Auth>
  readonly stream: ServerHttp2Stream
  readonly session: Http2Session
  readonly headers: IncomingHttpHeaders
  readonly preset: PresetHeaders | undefined
  /** Headers of the answer, with or without a channel, that are not those of every answer. */
  readonly responseHeaders: OutgoingHttpHeaders | undefined
  /** Undefined without subscribers. */
  readonly event: OpenRequestEvent | undefined
  /** The call of `authorize`. */
  authorization?: Promise<Auth>
}

/** The formats that a client and a server agreed on. */
export interface Formats {
  readonly receive: Format<unknown>
  readonly send: Format<unknown>
}

/** Reports why a channel could not be opened, unless its client has left. One that has not must not wait for ever. */
export function failed<Auth>(request: OpenRequest<Auth>, error: unknown): Rejection {
  const isMistake = !(error instanceof ConnError) || error.code === 'ALREADY_RESPONDED'
  if (isMistake) reportError(request, error, toChannelRequest(request, aborted))
  return failedToOpen
}

/** Reports an error to `onError`, or prints it. `isOutcome` says that the channel ended with it. */
export function reportError<Auth>(
  { router: { onError }, served: { route } }: Pick<OpenRequest<Auth>, 'router' | 'served'>,
  error: unknown,
  context: ErrorContext<Auth>,
  isOutcome = false,
): void {
  if (diagnostics.error.hasSubscribers) diagnostics.error.publish({ route: route.path, error })
  if (onError !== undefined) callHook(`onError failed for ${route.path}`, () => onError(error, context))
  else if (isOutcome && error instanceof ChannelError && error.side === 'remote') {
    printError(`a client of ${route.path} sent what the route does not allow`, error)
  } else printError(`${'conn' in context ? 'the handler' : 'authorize'} of ${route.path} failed`, error)
}

export function respondTo<Auth>({ stream, responseHeaders, event }: OpenRequest<Auth>, rejection: Rejection): void {
  const { status, message, headers } = rejection
  respond(stream, { status, message, headers: { ...responseHeaders, ...headers } })
  if (event !== undefined) diagnostics.refuse.publish({ opening: event, status, message, error: undefined })
}

export function toChannelRequest<Auth>(
  request: OpenRequest<Auth>,
  signal: AbortSignal,
  resumes?: { readonly auth: unknown },
): ChannelRequest {
  const { served, params, headers, stream } = request
  return createRequest(served.route.path, params, headers, stream, signal, resumes)
}

/** The signal of requests whose clients have left. */
export const aborted: AbortSignal = AbortSignal.abort()
