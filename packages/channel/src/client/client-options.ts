import type { SessionPool } from '@h2channel/conn'
import type { OutgoingHttpHeaders } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'

import type { OnClientEvent } from './events.ts'
import type { LimitOptions, OnInvalid, OnSlow, RetryOptions } from '../options.ts'
import type { PathParams } from '../route/route.ts'
import type { Clock } from '../runtime/clock.ts'

/** Options of `createClient`. */
export interface ClientOptions {
  /** For `https:` only: authorities, certificate, key. */
  readonly tls?: ConnectionOptions | undefined
  /**
   * Headers of every request, such as `authorization`. A function is called for each attempt of an `open`, and has at
   * most `connectTimeout`. Names are case-insensitive. Headers of one `open` win over these, and the library's own win
   * over both.
   */
  readonly headers?: OutgoingHttpHeaders | (() => OutgoingHttpHeaders | Promise<OutgoingHttpHeaders>) | undefined
  /** How long one attempt to open a channel may take, `headers` included. Unit: milliseconds. Default: 10,000. */
  readonly connectTimeout?: number | undefined
  /** A pool of connections to share with other clients. Default: an own pool, which alone `client.close` closes. */
  readonly sessions?: SessionPool | undefined
  /** The limits of each channel. */
  readonly limits?: LimitOptions | undefined
  /**
   * How an `open` that no handler can have seen is tried again. Default: 3 times within a second, or later if the
   * server asks for it.
   */
  readonly retry?: RetryOptions | undefined
  /** Receives the events of each `open`, for logs and metrics. What it throws is printed, and changes nothing. */
  readonly onEvent?: OnClientEvent | undefined
  /** The default of `resume` for each `open`. Default: false. */
  readonly resume?: boolean | undefined
  /** For tests: times delays and channels. Default: the platform's clock. */
  readonly clock?: Clock | undefined
}

/** What the options of `client.open` and of `client.call` have in common. */
export interface RequestOptions {
  /** Further headers of this request. */
  readonly headers?: OutgoingHttpHeaders | undefined
  /** The request's method. Default: `POST`. */
  readonly method?: string | undefined
  /** What to do with a message of the server that the route's schema rejects. Default: end the channel. */
  readonly onInvalid?: OnInvalid | undefined
}

/**
 * Options of `client.open`.
 *
 * @typeParam C - the messages of the client.
 */
export interface OpenOptions<C = never> extends RequestOptions {
  /** Ends the `open`, with all its attempts and delays. It has no effect on a channel that is open. */
  readonly signal?: AbortSignal | null | undefined
  /**
   * Messages that leave together with the request, before the server has answered, in the client's first format. They
   * are sent again with each attempt, so that the server which accepts the channel receives them once. Together they
   * have at most `maxBufferedBytes` and one message. Default: none.
   */
  readonly initial?: Iterable<C> | undefined
  /**
   * Whether the channel outlives its connection, if the server's router allows it: when the connection is lost, the
   * client opens another, and the channel continues on it. No message is lost, and none comes twice. `send` and
   * `receive` wait meanwhile. If that fails for as long as the server keeps the channel, it ends with `CONN_LOST` at
   * both ends. Default: that of the client.
   */
  readonly resume?: boolean | undefined
  /** What to do when the server reads nothing for `slowAfter`. Default: keep waiting. */
  readonly onSlow?: OnSlow | undefined
}

/**
 * Options of `client.keepOpen`.
 *
 * @typeParam C - the messages of the client.
 */
export interface KeepOpenOptions<C = never> extends Omit<OpenOptions<C>, 'signal'> {
  /** Ends it: the channel is aborted, and `keepOpen` rejects with `TIMEOUT` or `CANCELLED`. */
  readonly signal?: AbortSignal | null | undefined
  /**
   * How often a channel is opened in vain, and how long it waits between. `maxAttempts: Infinity` never gives up. A
   * channel that has received something, or has lived for a second, begins the count again. The delays begin again
   * after a channel that has lived for `maxDelay`. Default: the client's.
   */
  readonly retry?: RetryOptions | undefined
}

/** Options of `client.call`. */
export interface CallOptions extends RequestOptions {
  /** Ends the call at any moment: all attempts, and the wait for the reply. The server's `context.signal` aborts. */
  readonly signal?: AbortSignal | null | undefined
}

/** Options of `client.close`. */
export interface ClientCloseOptions {
  /** How long open channels may take to end. Unit: milliseconds. Default: 10,000. */
  readonly timeout?: number | undefined
}

/** The arguments of `open` after the route: options, with `params` where the path has parameters. */
export type OpenArguments<Path extends string, C = never> = WithParams<Path, OpenOptions<C>>

/** The arguments of `call` after the message: options, with `params` where the path has parameters. */
export type CallArguments<Path extends string> = WithParams<Path, CallOptions>

/** The last argument of `keepOpen`: options, with `params` where the path has parameters. */
export type KeepOpenArguments<Path extends string, C = never> = WithParams<Path, KeepOpenOptions<C>>

type WithParams<Path extends string, Options> = string extends Path
  ? [options?: Options & { readonly params?: Readonly<Record<string, string>> }]
  : keyof PathParams<Path> extends never
    ? [options?: Options]
    : [options: Options & { readonly params: PathParams<Path> }]
