import type { Http2Conn } from '@h2channel/conn'
import { inspectAs } from '@h2channel/conn/internal'

import type { ChannelClosed } from '../core/channel-core.ts'
import type { Channel } from '../core/channel.ts'
import { coreOf } from '../core/channel.ts'
import type { Clock } from '../runtime/clock.ts'
import { longestDelay } from '../options.ts'
import { ChannelError } from '../errors.ts'
import type { PathParams } from '../route/route.ts'

/**
 * What a handler knows of the request beside its channel.
 *
 * @typeParam Auth - what `authorize` of the router returned.
 */
export interface HandlerContext<Path extends string = string, Auth = unknown> {
  /** What the router's `authorize` returned. */
  readonly auth: Auth
  /**
   * When the channel ends with `UNAUTHENTICATED`, because the client's credentials do. At first, `auth` says it. `expiryGrace`
   * before, it drains. May be set anew, to a Date or milliseconds since 1970, when the client has sent others; to `undefined`,
   * and it does not end by that. Once it drains, it ends no more by that either, but both ends have been asked to end it.
   *
   * @throws ChannelError `INVALID_ARGUMENT` when it is set to anything else.
   */
  get expiresAt(): Date | undefined
  set expiresAt(at: Date | number | undefined)
  /** What stands in the path for the route's parameters, decoded. */
  readonly params: PathParams<Path>
  /** The request's headers. */
  readonly headers: Http2Conn['headers']
  /** The query, without its `?`. */
  readonly query: URLSearchParams
  /** Aborts when the channel is over, however it came to it. */
  readonly signal: AbortSignal
  /** The conn below, with method, path and addresses. To be looked at, not to be used. */
  readonly conn: Http2Conn
}

let awaitExpiry: (rest: Late) => void

/** What a context has that is not made before it is asked for: there is one for every channel that is open. */
export class Late {
  readonly #path: string
  #query: URLSearchParams | undefined
  readonly #clock: Clock
  #over: AbortController | undefined
  #channel: Channel<unknown, unknown> | undefined
  #expiresAt: Date | undefined
  /** The same on the clock. */
  #expiresOn = 0
  readonly #expiryGrace: number
  /** When it drains before that, on the clock. */
  #drainsOn = 0
  #expiry: unknown

  /** @param expiryGrace - how long before its credentials' end the channel drains. Unit: milliseconds. */
  constructor(path: string, clock: Clock, expiryGrace: number) {
    this.#path = path
    this.#expiryGrace = expiryGrace
    this.#clock = clock
  }

  get expiresAt(): Date | undefined {
    return this.#expiresAt
  }

  set expiresAt(at: Date | number | undefined) {
    this.#expiresAt = at === undefined ? undefined : dateOf(at)
    const left = Number(this.#expiresAt ?? 0) - Date.now()
    this.#expiresOn = this.#clock.now() + left
    // Credentials that last for a minute would otherwise be drained for a third of that.
    this.#drainsOn = this.#expiresOn - Math.min(this.#expiryGrace, left / 10)
    this.#awaitExpiry()
  }

  /** Drains the channel, and ends it when its time is up, which may be further away than a timer goes. */
  #awaitExpiry(): void {
    this.release()
    const channel = this.#channel
    if (this.#expiresAt === undefined || channel === undefined || coreOf(channel).outcome !== undefined) return
    const left = Math.ceil(this.#expiresOn - this.#clock.now())
    if (left <= 0) {
      coreOf(channel).closeWithError(new ChannelError('UNAUTHENTICATED', "the client's credentials have ended"))
      return
    }
    const leftToDrain = Math.ceil(this.#drainsOn - this.#clock.now())
    if (leftToDrain <= 0) coreOf(channel).startDraining()
    this.#expiry = this.#clock.setTimer(awaitExpiry, Math.min(leftToDrain > 0 ? leftToDrain : left, longestDelay), this)
  }

  /** The channel is over: nothing is left to wait for. */
  release(): void {
    this.#clock.clearTimer(this.#expiry)
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#path.split(/\?(.*)/s)[1] ?? '')
    return this.#query
  }

  get signal(): AbortSignal {
    if (this.#over === undefined) {
      this.#over = new AbortController()
      void this.#channel?.closed.then((closed) => this.#end(closed))
    }
    // Others may have been told of the end before this.
    const outcome = this.#channel && coreOf(this.#channel).outcome
    if (outcome !== undefined) this.#end(outcome)
    return this.#over.signal
  }

  /** The channel whose end is meant. It is made after the context, but before anybody is given that. */
  set channel(channel: Channel<unknown, unknown>) {
    this.#channel = channel
    this.#awaitExpiry()
  }

  static {
    awaitExpiry = (rest) => rest.#awaitExpiry()
  }

  #end(closed: ChannelClosed): void {
    this.#over?.abort(closed.clean ? undefined : closed.error)
  }

  /**
   * Whether `error` is what a wait that `signal`, or the channel's `draining`, gave up rejects with: its reason, or as Node
   * does with that as the cause.
   */
  isReason(error: unknown): boolean {
    const signals = [this.#over?.signal, this.#channel?.draining]
    return signals.some((signal) => {
      if (signal?.aborted !== true) return false
      const { cause } = (error ?? {}) as { readonly cause?: unknown }
      return error === signal.reason || cause === signal.reason
    })
  }
}

const late = Symbol('late')

type LateKey = 'expiresAt' | 'query' | 'signal'

/** Those of all contexts: getters of its own would take more memory than all else that a context has. */
const getters = {
  expiresAt: {
    enumerable: true,
    get() {
      return this[late].expiresAt
    },
    set(at: Date | number | undefined) {
      this[late].expiresAt = at
    },
  },
  query: {
    enumerable: true,
    get() {
      return this[late].query
    },
  },
  signal: {
    enumerable: true,
    get() {
      return this[late].signal
    },
  },
} satisfies Record<LateKey, PropertyDescriptor> & ThisType<{ readonly [late]: Late }>

/** What `authorize` made of the credentials is not shown either. */
const shown = inspectAs<HandlerContext>(({ params, conn, expiresAt }) => ({ params, expiresAt, conn }))

/** What a handler is given: an object that it may copy, with all that it has. */
export function contextOf<Auth>(
  params: Record<string, string>,
  conn: Http2Conn,
  auth: Auth,
  rest: Late,
): HandlerContext<string, Auth> {
  const context: Omit<HandlerContext<string, Auth>, LateKey> = { params, headers: conn.headers, conn, auth }
  Object.defineProperty(context, late, { value: rest })
  Object.defineProperties(context, shown)
  return Object.defineProperties(context, getters) as HandlerContext<string, Auth>
}

/** Whether that time has come. Throws `INVALID_ARGUMENT` for what is no time, nor `undefined`. */
export function isExpired(at: unknown): boolean {
  return at !== undefined && dateOf(at).getTime() <= Date.now()
}

function dateOf(at: unknown): Date {
  const date = isDate(at) || typeof at === 'number' ? new Date(at) : undefined
  if (date !== undefined && !Number.isNaN(date.getTime())) return date
  throw new ChannelError('INVALID_ARGUMENT', `expiresAt must be a Date, or milliseconds since 1970, not ${String(at)}`)
}

/** Of this realm or another. */
function isDate(at: unknown): at is Date {
  return Object.prototype.toString.call(at) === '[object Date]'
}
