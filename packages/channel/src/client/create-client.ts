/** The client's side: opens channels to the routes of a service. */
import type { Http2Conn, SessionPool } from '@h2channel/conn'
import {
  addAbortListener,
  connDefaults,
  connect,
  ConnError,
  mergeHeaders,
  removeAbortListener,
  SessionPool as OwnSessionPool,
} from '@h2channel/conn'
import type { OutgoingHttpHeaders } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'
import { compile } from 'path-to-regexp'

import { Addresses, addressesOf } from './address-pool.ts'
import type { ChannelOptions } from '../core/channel.ts'
import { Channel } from '../core/channel.ts'
import { ClientChannels, lastWords } from './client-channels.ts'
import type { ClientEvent, OnClientEvent } from './events.ts'
import { notifier } from './events.ts'
import { type Clock, systemClock } from '../runtime/clock.ts'
import { excerpt, printable } from '../framing/control-frames.ts'
import type { LimitOptions } from '../options.ts'
import type { OnInvalid, OnSlow } from '../options.ts'
import { checkDelay, checkHook, limitsFrom } from '../options.ts'
import { awake } from './delays.ts'
import type { OpenRequestEvent } from '../observe/diagnostics.ts'
import { diagnostics, publishingSlow, publishOpening } from '../observe/diagnostics.ts'
import { abortError, ChannelError, signalError, textOf } from '../errors.ts'
import type { Format } from '../route/media-types.ts'
import { contentCoding, formatForContentType, createFormats, acceptHeader } from '../route/media-types.ts'
import { openFailure } from './open-errors.ts'
import { Opener } from './opening.ts'
import { controlHeader, supportsControl, version } from '../route/negotiate.ts'
import type { RetryOptions } from './retry.ts'
import { retryLimits } from './retry.ts'
import type { PathParams, Route } from '../route/route.ts'

export interface ClientOptions {
  /** For `https:` alone: authorities, certificate, key. */
  readonly tls?: ConnectionOptions | undefined
  /**
   * Headers of every request, such as `authorization`. A function is asked anew for each, also when an `open` is tried again, and has
   * no longer than `connectTimeout`. Names have no case: those of a call count before these, and the library's own before both.
   */
  readonly headers?: OutgoingHttpHeaders | (() => OutgoingHttpHeaders | Promise<OutgoingHttpHeaders>) | undefined
  /** How long one attempt to open a channel may take, `headers` included: 10,000 by default. Unit: milliseconds. */
  readonly connectTimeout?: number | undefined
  /** A pool of connections to share with others. The client has its own unless said otherwise, and closes only its own. */
  readonly sessions?: SessionPool | undefined
  /** The limits of each channel. */
  readonly limits?: LimitOptions | undefined
  /** How an `open` that nobody can have handled is tried again: by default 3 times within a second, if the server asks for no more. */
  readonly retry?: RetryOptions | undefined
  /**
   * Told what becomes of each `open`, as it happens: for logs and metrics. What it throws is printed, and changes nothing.
   */
  readonly onEvent?: OnClientEvent | undefined
  /** For tests: where the times of delays and channels come from. The platform's clock unless said otherwise. */
  readonly clock?: Clock | undefined
}

export interface OpenOptions {
  /** Gives up opening, with all its attempts and the delays between them. Afterwards it has no effect on the channel. */
  readonly signal?: AbortSignal | null | undefined
  /** Further headers of this request. */
  readonly headers?: OutgoingHttpHeaders | undefined
  /** The request's method: `POST` unless said otherwise. */
  readonly method?: string | undefined
  /** What to do with a message of the server that the route's schema refuses: end the channel, unless said otherwise. */
  readonly onInvalid?: OnInvalid | undefined
  /** What to do when the server takes nothing for long: wait on, unless said otherwise. */
  readonly onSlow?: OnSlow | undefined
}

export interface ClientCloseOptions {
  /** How long channels that are open may take to end: 10,000 by default. Unit: milliseconds. */
  readonly timeout?: number | undefined
}

/** The options of `open`: with `params` where the path has parameters. */
export type OpenArguments<Path extends string> = string extends Path
  ? [options?: OpenOptions & { readonly params?: Readonly<Record<string, string>> }]
  : keyof PathParams<Path> extends never
    ? [options?: OpenOptions]
    : [options: OpenOptions & { readonly params: PathParams<Path> }]

/** Opens channels to one service. Its connections are shared, and keep no process alive without a channel. */
export interface Client extends AsyncDisposable {
  /**
   * Opens a channel and waits until the server has taken it. While nobody can have handled the request, it is sent again after
   * a delay, as the client's `retry` says. No message is ever sent twice: none is sent before this resolves.
   *
   * @throws ChannelError `NOT_FOUND` when the server has no such route, `UNSUPPORTED_CODEC` when it takes or gives none of
   *   this side's formats, `UNAUTHENTICATED` for status 401, `REFUSED` for any other status, `BAD_RESPONSE` when what accepted is no peer of this route,
   *   `CONNECT_FAILED` when there is no answer (`cause` says why), `TIMEOUT` or `CANCELLED` from the signal, `CLOSED` after
   *   `close()`, `INVALID_ARGUMENT` for a parameter that fits no path, or an `onInvalid` or `onSlow` that is no function. With several
   *   attempts it is the error of the last. One that is `retryable` may be met with another `open`.
   */
  open<Path extends string, C, S>(
    route: Route<Path, C, S>,
    ...options: OpenArguments<NoInfer<Path>>
  ): Promise<Channel<C, S>>

  /**
   * Lets the client's channels end, then closes its own connections: not those of a pool that it was given. Both ends of each
   * channel are told (`channel.draining`); one that is open after `timeout` ends with `GOING_AWAY` at both, or is cut a second
   * later where the server does not read. An `open` that has not resolved ends with `CLOSED`, whatever it waits for.
   *
   * @returns once all is over. Calling it again waits for the same.
   * @throws ChannelError `INVALID_ARGUMENT` for a timeout that can't be.
   */
  close(options?: ClientCloseOptions): Promise<void>
}

/**
 * A client of the service at `origins`, such as `https://pricing.internal:8443`. A path in it is put before each route's.
 *
 * Several addresses take turns, an `open` each. One to which there is no connection, or whose server refuses streams (GOAWAY,
 * REFUSED_STREAM) or answers 503, as it does while it drains, is left out for a while, which grows as `retry` says. The `open`
 * that met it goes on with another at once; only where all are left out, it waits: until the first is due again, but not longer
 * than it would with one address. Each counts as an attempt. A name with several addresses in DNS is one address here.
 *
 * @throws ChannelError `INVALID_ARGUMENT` when `origins` has no URL, one that is not `http:` or `https:`, one with user, password,
 *   query or fragment, or both kinds; when there is `tls` for `http:`; when a limit is none, `retry` can't be, or `onEvent` is no
 *   function.
 *
 * @example
 * ```ts
 * const client = createClient('https://pricing.internal:8443', { tls: { ca } })
 * await using channel = await client.open(quotes, { params: { market: 'xetra' } })
 * await channel.send({ symbols: ['SAP'] })
 * for await (const quote of channel) console.log(quote)
 * ```
 */
export function createClient(origins: string | URL | readonly (string | URL)[], options: ClientOptions = {}): Client {
  const list = addressesOf(origins, options.tls !== undefined)
  const limits = limitsFrom(options.limits)
  checkHook('onEvent', options.onEvent)
  const tell = notifier(options.onEvent)
  const { connectTimeout = connDefaults.connectTimeout } = options
  checkDelay('connectTimeout', connectTimeout)
  const retry = retryLimits(options.retry)
  const addresses = new Addresses(list, retry, options.clock ?? systemClock, tell)
  const opener = new Opener(addresses, retry, options.clock ?? awake, tell)
  const own = options.sessions === undefined ? new OwnSessionPool() : undefined
  const sessions = options.sessions ?? own
  const channels = new ClientChannels(options.clock ?? awake)
  const closing = new AbortController()
  let closed: Promise<unknown> | undefined
  const close = async ({ timeout = connDefaults.closeTimeout }: ClientCloseOptions = {}): Promise<void> => {
    checkDelay('timeout', timeout)
    closing.abort(new ChannelError('CLOSED', 'the client was closed before a channel could be opened'))
    closed ??= Promise.all([channels.close(timeout), own?.close({ timeout: timeout + 2 * lastWords })])
    await closed
  }
  return {
    async open<Path extends string, C, S>(
      route: Route<Path, C, S>,
      ...[given = {}]: [options?: OpenOptions & { readonly params?: Readonly<Record<string, string>> }]
    ): Promise<Channel<C, S>> {
      checkHook('onInvalid', given.onInvalid)
      checkHook('onSlow', given.onSlow)
      const refused = signalError(given.signal, 'opening the channel')
      if (refused?.code === 'INVALID_ARGUMENT') throw refused
      if (closing.signal.aborted) throw new ChannelError('CLOSED', 'open after the client was closed')
      const path = fillPath(route.path, given.params ?? {})
      const sends = createFormats(route.client, route.framing)
      const receives = createFormats(route.server, route.framing)
      const [send] = sends
      if (send === undefined) throw new ChannelError('INVALID_ROUTE', `${route.path} has no codec for the client`)
      const { method, onInvalid, onSlow } = given
      const { tls, clock } = options
      const wait = new OpenWait(given.signal ?? undefined, closing.signal)
      const { signal } = wait
      const opening = opener.open(route.path, signal, async (at) => {
        // Nobody is asked for the headers of a request that will not be sent.
        signal.throwIfAborted()
        const url = new URL(at.url.pathname.replace(/\/$/, '') + path, at.url)
        const began = systemClock.now()
        const asked = options.headers
        const common = typeof asked === 'function' ? await inTime(asked(), connectTimeout, signal) : asked
        const headers = mergeHeaders(common, given.headers, {
          'content-type': send.mediaType,
          accept: acceptHeader(receives),
          ...(send.framing.control ? { [controlHeader]: version } : {}),
        })
        // One budget for all of an attempt.
        const left = Math.max(1, Math.ceil(connectTimeout - (systemClock.now() - began)))
        const observed = publishOpening('client', route.path, at.name, headers)
        const connecting = connect(url, { signal, method, tls, connectTimeout: left, sessions, headers })
        const conn = await connecting.catch((error: unknown) => {
          const failure = openFailure(error, url, signal)
          if (observed !== undefined) tellRefusal(observed, failure)
          throw failure
        })
        try {
          // The response may have come in the same turn.
          signal.throwIfAborted()
          const judge = publishingSlow(onSlow, observed, () => channel as Channel<unknown, unknown>)
          const channel = channelOf(conn, url, send, receives, {
            limits,
            onInvalid,
            onSlow: judge,
            clock,
            name: route.path,
          })
          channels.add(channel as Channel<unknown, unknown>)
          if (observed !== undefined) tellOpen(observed, channel as Channel<unknown, unknown>)
          // The signal is made when it is asked for, which would be a waste without a hook.
          if (options.onEvent !== undefined) {
            const event: ClientEvent = { type: 'draining', origin: at.name, path: route.path }
            const onDraining = (): void => {
              if (!closing.signal.aborted) tell(event)
            }
            channel.draining.addEventListener('abort', onDraining, { once: true })
          }
          return channel
        } catch (error) {
          conn.abort(error)
          if (observed !== undefined) tellRefusal(observed, error)
          throw error
        }
      })
      return opening.finally(() => wait.release())
    },
    close,
    [Symbol.asyncDispose]: () => close(),
  }
}

function tellOpen(opening: OpenRequestEvent, channel: Channel<unknown, unknown>): void {
  diagnostics.open.publish({ opening, channel })
  void channel.closed.then((closed) => diagnostics.close.publish({ opening, channel, closed }))
}

function tellRefusal(opening: OpenRequestEvent, error: unknown): void {
  const cause = error instanceof ChannelError ? error.cause : undefined
  const status = cause instanceof ConnError ? cause.response?.status : undefined
  diagnostics.refuse.publish({ opening, status, message: undefined, error })
}

/** Makes the channel once the response's content type has said that what follows is one. */
function channelOf<C, S>(
  conn: Http2Conn,
  url: URL,
  send: Format<C>,
  receives: readonly Format<S>[],
  options: Pick<ChannelOptions<C, S>, 'clock' | 'limits' | 'name' | 'onInvalid' | 'onSlow'>,
): Channel<C, S> {
  const { 'content-type': contentType, 'content-encoding': contentEncoding } = conn.headers
  const coding = contentCoding(contentEncoding)
  if (coding !== undefined) {
    const message = `${url.pathname} was answered with content-encoding ${excerpt(printable(coding))}, which is not read here`
    throw new ChannelError('BAD_RESPONSE', message)
  }
  // Plain peers of lines or records may name no type. Bytes of an unknown kind are not taken for length prefixes.
  const plain = receives[0]?.framing.control === true ? undefined : receives[0]
  const receive = contentType === undefined ? plain : formatForContentType(receives, contentType)
  if (receive === undefined) {
    const what = contentType === undefined ? 'without a content type' : `of type ${excerpt(printable(contentType))}`
    throw new ChannelError(
      'BAD_RESPONSE',
      `${url.pathname} was answered with a response ${what}, not one of ${acceptHeader(receives)}: is it a route of the server?`,
    )
  }
  return new Channel<C, S>(conn, {
    send: send.codec,
    receive: receive.codec,
    framing: { send: send.framing, receive: receive.framing },
    control: supportsControl(conn.headers[controlHeader]),
    ...options,
  })
}

/** For how long an `open` waits: until its own signal aborts, or the client is closed. */
class OpenWait {
  readonly #own: AbortSignal | undefined
  readonly #closing: AbortSignal
  readonly #controller = new AbortController()
  readonly #onOwn = (): void => this.#controller.abort(abortError('opening the channel', this.#own?.reason))
  readonly #onClosing = (): void => this.#controller.abort(this.#closing.reason)

  constructor(own: AbortSignal | undefined, closing: AbortSignal) {
    this.#own = own
    this.#closing = closing
    if (own?.aborted === true) this.#onOwn()
    if (own !== undefined) addAbortListener(own, this.#onOwn)
    addAbortListener(closing, this.#onClosing)
  }

  /** Aborts with the ChannelError of the `open`. */
  get signal(): AbortSignal {
    return this.#controller.signal
  }

  release(): void {
    if (this.#own !== undefined) removeAbortListener(this.#own, this.#onOwn)
    removeAbortListener(this.#closing, this.#onClosing)
  }
}

/** Waits for the headers of a request. What it waits by is gone afterwards, also where they never come. */
function inTime<T>(headers: T | Promise<T>, timeout: number, signal: AbortSignal): Promise<T> {
  let release = (): void => {}
  const waiting = new Promise<T>((resolve, reject) => {
    const giveUp = (): void => reject(signal.reason)
    const timeOut = (): void => {
      const message = `the headers of the request were not there in ${timeout} ms`
      reject(new ChannelError('CONNECT_FAILED', message, { side: 'local', retryable: true }))
    }
    const timer = awake.setTimer(timeOut, timeout, undefined)
    addAbortListener(signal, giveUp)
    if (signal.aborted) giveUp()
    release = () => {
      awake.clearTimer(timer)
      removeAbortListener(signal, giveUp)
    }
    Promise.resolve(headers).then(resolve, reject)
  })
  return waiting.finally(release)
}

function fillPath(path: string, params: Readonly<Record<string, string>>): string {
  const lost = Object.entries(params).find(([, value]) => value === '.' || value === '..')
  if (lost !== undefined) {
    throw new ChannelError('INVALID_ARGUMENT', `${path}: no URL can hold ${JSON.stringify(lost[1])} as its ${lost[0]}`)
  }
  try {
    return compile(path)(params)
  } catch (cause) {
    throw new ChannelError('INVALID_ARGUMENT', `${path}: ${textOf(cause)}`, { cause })
  }
}
