import type { Http2Conn } from '@h2channel/conn'
import { inspectAs } from '@h2channel/conn/internal'

import type { ChannelClosed } from '../core/channel-types.ts'
import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import { ChannelError } from '../errors.ts'
import { maxTimerDelay } from '../options.ts'
import type { PathParams } from '../route/route.ts'
import type { Clock } from '../runtime/clock.ts'

/**
 * What a handler knows about the request of its channel.
 *
 * @typeParam Auth - what `authorize` of the router returns.
 */
export interface HandlerContext<Path extends string = string, Auth = unknown> {
  /** What `authorize` of the router returned. */
  readonly auth: Auth
  /**
   * When the channel ends with `UNAUTHENTICATED`, because the credentials of the client expire. The channel drains
   * `expiryGrace` before. Initially it is `auth.expiresAt`, if there is one. When the client has sent new credentials,
   * set it to their Date, or milliseconds since 1970; with `undefined` they never expire. A channel that drains already
   * is then not ended, but both ends know that it drains.
   *
   * @throws ChannelError `INVALID_ARGUMENT` when it is set to anything else.
   */
  get expiresAt(): Date | undefined
  set expiresAt(at: Date | number | undefined)
  /** The parameters of the path, decoded. */
  readonly params: PathParams<Path>
  /** The headers of the request. */
  readonly headers: Http2Conn['headers']
  /** The query, without its `?`. */
  readonly query: URLSearchParams
  /** Aborts when the channel has ended in any way. */
  readonly signal: AbortSignal
  /** The conn below the channel, with method, path and addresses. Only for inspection: the channel owns it. */
  readonly conn: Http2Conn
}

/** Serves one channel of a route. */
export type Handler<Path extends string, Client, Server, Auth = unknown> = (
  channel: Channel<Server, Client>,
  context: HandlerContext<Path, Auth>,
) => void | Promise<void>

/**
 * Answers one message of a client. What it throws, or rejects with, ends the channel with `INTERNAL`, as what a handler
 * throws does.
 */
export type Answer<Path extends string, Client, Server, Auth = unknown> = (
  message: Client,
  context: HandlerContext<Path, Auth>,
) => Server | Promise<Server>

/** When the credentials of a client expire. */
interface Expiry {
  readonly at: Date
  /** When the channel ends, on the clock. */
  readonly endsOn: number
  /** When the channel drains before that, on the clock. */
  readonly drainsOn: number
}

/** Members of a handler's context that are created on demand: each open channel has one, so nothing is made ahead. */
export class LazyContext {
  readonly #path: string
  #query: URLSearchParams | undefined
  readonly #clock: Clock
  #closing: AbortController | undefined
  #channel: Channel<unknown, unknown> | undefined
  readonly #expiryGrace: number
  #expiry: Expiry | undefined
  #timer: unknown

  /** @param expiryGrace - how long before its credentials expire the channel drains. Unit: milliseconds. */
  constructor(path: string, clock: Clock, expiryGrace: number) {
    this.#path = path
    this.#expiryGrace = expiryGrace
    this.#clock = clock
  }

  /** Sets the channel. It is created after the context, but before any user code gets the context. */
  start(channel: Channel<unknown, unknown>, expiresAt: Date | number | undefined): void {
    this.#channel = channel
    this.expiresAt = expiresAt
  }

  get expiresAt(): Date | undefined {
    return this.#expiry?.at
  }

  set expiresAt(at: Date | number | undefined) {
    this.#expiry = at === undefined ? undefined : this.#expiryAt(parseExpiry(at))
    this.scheduleExpiry()
  }

  #expiryAt(at: Date): Expiry {
    const left = at.getTime() - Date.now()
    const endsOn = this.#clock.now() + left
    // Credentials that last for a minute would otherwise be drained for a third of that.
    return { at, endsOn, drainsOn: endsOn - Math.min(this.#expiryGrace, left / 10) }
  }

  /** Drains the channel, or ends it, when its credentials expire. That may be further away than a timer can be set. */
  scheduleExpiry(): void {
    this.release()
    const core = this.#channel && coreOf(this.#channel)
    if (this.#expiry === undefined || core === undefined || core.outcome !== undefined) return
    const left = Math.ceil(this.#expiry.endsOn - this.#clock.now())
    if (left <= 0) {
      core.closeWithError(new ChannelError('UNAUTHENTICATED', "the client's credentials have expired"))
      return
    }
    const leftToDrain = Math.ceil(this.#expiry.drainsOn - this.#clock.now())
    if (leftToDrain <= 0) core.startDraining()
    const delay = Math.min(leftToDrain > 0 ? leftToDrain : left, maxTimerDelay)
    this.#timer = this.#clock.setTimer(onExpiryTimer, delay, this)
  }

  /** Clears the timer, for a channel that has ended. */
  release(): void {
    this.#clock.clearTimer(this.#timer)
  }

  get query(): URLSearchParams {
    this.#query ??= parseQuery(this.#path)
    return this.#query
  }

  get signal(): AbortSignal {
    if (this.#closing === undefined) {
      this.#closing = new AbortController()
      void this.#channel?.closed.then((closed) => this.#abort(closed))
    }
    // Other listeners of `closed` may have run before that one.
    const outcome = this.#channel && coreOf(this.#channel).outcome
    if (outcome !== undefined) this.#abort(outcome)
    return this.#closing.signal
  }

  #abort(closed: ChannelClosed): void {
    this.#closing?.abort(closed.clean ? undefined : closed.error)
  }

  /**
   * Whether `error` is how a wait rejects that was ended by `signal` or by the channel's `draining`: with the reason of
   * the signal, or as in Node with an error whose cause is the reason.
   */
  isReason(error: unknown): boolean {
    const signals = [this.#closing?.signal, this.#channel?.draining]
    return signals.some((signal) => {
      if (signal?.aborted !== true) return false
      const { cause } = (error ?? {}) as { readonly cause?: unknown }
      return error === signal.reason || cause === signal.reason
    })
  }
}

function onExpiryTimer(lazy: LazyContext): void {
  lazy.scheduleExpiry()
}

/** Parses the query of a request's `:path`. */
export function parseQuery(path: string): URLSearchParams {
  return new URLSearchParams(path.split(/\?(.*)/s)[1] ?? '')
}

const lazyContext = Symbol('lazyContext')

type LazyKey = 'expiresAt' | 'query' | 'signal'

interface HasLazyContext {
  readonly [lazyContext]: LazyContext
}

function getter(key: LazyKey): PropertyDescriptor & ThisType<HasLazyContext> {
  return {
    enumerable: true,
    get() {
      return this[lazyContext][key]
    },
  }
}

/** The getters of all contexts. Separate ones for each would take more memory than the rest of a context. */
const getters: Record<LazyKey, PropertyDescriptor> = {
  expiresAt: {
    ...getter('expiresAt'),
    set(this: HasLazyContext, at: Date | number | undefined) {
      this[lazyContext].expiresAt = at
    },
  },
  query: getter('query'),
  signal: getter('signal'),
}

/** Creates the context of a handler. A copy of it has all its properties. */
export function createContext<Auth>(
  params: Record<string, string>,
  conn: Http2Conn,
  auth: Auth,
  lazy: LazyContext,
): HandlerContext<string, Auth> {
  const context = new Context(params, conn, auth)
  // One by one: together they take three times as long.
  Object.defineProperty(context, lazyContext, { value: lazy })
  Object.defineProperty(context, 'expiresAt', getters.expiresAt)
  Object.defineProperty(context, 'query', getters.query)
  Object.defineProperty(context, 'signal', getters.signal)
  return context as HandlerContext<string, Auth>
}

/** Logs and JSON show neither the headers nor what `authorize` returned: both may hold credentials. */
class Context<Auth> implements Omit<HandlerContext<string, Auth>, LazyKey> {
  static {
    const shown = inspectAs<HandlerContext>(({ params, conn, expiresAt }) => ({ params, expiresAt, conn }))
    Object.defineProperties(this.prototype, shown)
  }

  readonly params: Record<string, string>
  readonly headers: Http2Conn['headers']
  readonly conn: Http2Conn
  readonly auth: Auth

  constructor(params: Record<string, string>, conn: Http2Conn, auth: Auth) {
    this.params = params
    this.headers = conn.headers
    this.conn = conn
    this.auth = auth
  }
}

/** Whether `at` has passed: `undefined` never does. Throws `INVALID_ARGUMENT` for anything but a Date or a number. */
export function isExpired(at: unknown): boolean {
  return at !== undefined && parseExpiry(at).getTime() <= Date.now()
}

function parseExpiry(at: unknown): Date {
  // The Date may be of another realm.
  const isDate = Object.prototype.toString.call(at) === '[object Date]'
  const date = isDate || typeof at === 'number' ? new Date(at as Date | number) : undefined
  if (date !== undefined && !Number.isNaN(date.getTime())) return date
  throw new ChannelError('INVALID_ARGUMENT', `expiresAt must be a Date, or milliseconds since 1970, not ${String(at)}`)
}
