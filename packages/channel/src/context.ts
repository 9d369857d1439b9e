import type { Http2Conn } from '@h2channel/conn'

import { type Channel, type ChannelClosed, outcomeOf } from './channel.ts'
import type { PathParams } from './route.ts'

/** What a handler knows of the request beside its channel. */
export interface HandlerContext<Path extends string = string> {
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

/** What a context has that is not made before it is asked for: there is one for every channel that is open. */
export class Late {
  readonly #path: string
  #query: URLSearchParams | undefined
  #over: AbortController | undefined
  #channel: Channel<unknown, unknown> | undefined

  constructor(path: string) {
    this.#path = path
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
    const outcome = this.#channel && outcomeOf(this.#channel)
    if (outcome !== undefined) this.#end(outcome)
    return this.#over.signal
  }

  /** The channel whose end is meant. It is made after the context, but before anybody is given that. */
  set channel(channel: Channel<unknown, unknown>) {
    this.#channel = channel
  }

  #end(closed: ChannelClosed): void {
    this.#over?.abort(closed.clean ? undefined : closed.error)
  }

  /** Whether `error` is what a wait that `signal` gave up rejects with: its reason, or as Node does with that as the cause. */
  isReason(error: unknown): boolean {
    const signal = this.#over?.signal
    if (signal?.aborted !== true) return false
    return error === signal.reason || (error instanceof Error && error.cause === signal.reason)
  }
}

const late = Symbol('late')

type LateKey = keyof Late & keyof HandlerContext

/** Those of all contexts: getters of its own would take more memory than all else that a context has. */
const getters = {
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

/** What a handler is given: an object that it may copy, with all that it has. */
export function contextOf(params: Record<string, string>, conn: Http2Conn, rest: Late): HandlerContext {
  const context: Omit<HandlerContext, LateKey> = { params, headers: conn.headers, conn }
  Object.defineProperty(context, late, { value: rest })
  return Object.defineProperties(context, getters) as HandlerContext
}
