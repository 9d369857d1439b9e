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
  /** For tests: times delays and channels. Default: the platform's clock. */
  readonly clock?: Clock | undefined
}

/** Options of `client.open`. */
export interface OpenOptions {
  /** Ends the `open`, with all its attempts and delays. It has no effect on a channel that is open. */
  readonly signal?: AbortSignal | null | undefined
  /** Further headers of this request. */
  readonly headers?: OutgoingHttpHeaders | undefined
  /** The request's method. Default: `POST`. */
  readonly method?: string | undefined
  /** What to do with a message of the server that the route's schema rejects. Default: end the channel. */
  readonly onInvalid?: OnInvalid | undefined
  /** What to do when the server reads nothing for `slowAfter`. Default: keep waiting. */
  readonly onSlow?: OnSlow | undefined
}

/** Options of `client.close`. */
export interface ClientCloseOptions {
  /** How long open channels may take to end. Unit: milliseconds. Default: 10,000. */
  readonly timeout?: number | undefined
}

/** The arguments of `open` after the route: options, with `params` where the path has parameters. */
export type OpenArguments<Path extends string> = string extends Path
  ? [options?: OpenOptions & { readonly params?: Readonly<Record<string, string>> }]
  : keyof PathParams<Path> extends never
    ? [options?: OpenOptions]
    : [options: OpenOptions & { readonly params: PathParams<Path> }]
