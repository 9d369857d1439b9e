/** The client's side: opens channels to the routes of a service. */
import type { Http2Conn, Sessions } from '@h2channel/conn'
import { connect, ConnError, Sessions as OwnSessions } from '@h2channel/conn'
import type { OutgoingHttpHeaders } from 'node:http2'
import type { ConnectionOptions } from 'node:tls'
import { compile } from 'path-to-regexp'

import type { ChannelOptions, OnInvalid } from './channel.ts'
import { Channel } from './channel.ts'
import { printable } from './control.ts'
import type { LimitOptions } from './defaults.ts'
import { checkHook, limitsFrom } from './defaults.ts'
import { ChannelError, givenUp } from './errors.ts'
import type { Format } from './formats.ts'
import { formatNamed, formatsOf, listed } from './formats.ts'
import { announcement, isAnnounced, version } from './protocol.ts'
import type { PathParams, Route } from './route.ts'

export interface ClientOptions {
  /** For `https:`: authorities, certificate, key. */
  readonly tls?: ConnectionOptions | undefined
  /** Headers of every request, such as `authorization`. A function is asked anew for each. */
  readonly headers?: OutgoingHttpHeaders | (() => OutgoingHttpHeaders | Promise<OutgoingHttpHeaders>) | undefined
  /** How long opening a channel may take. Unit: milliseconds. */
  readonly connectTimeout?: number | undefined
  /** A pool of connections to share with others. The client has its own unless said otherwise, and closes only its own. */
  readonly sessions?: Sessions | undefined
  /** The limits of each channel. */
  readonly limits?: LimitOptions | undefined
}

export interface OpenOptions {
  /** Gives up opening. Afterwards it has no effect on the channel. */
  readonly signal?: AbortSignal | undefined
  /** Further headers of this request. */
  readonly headers?: OutgoingHttpHeaders | undefined
  /** The request's method: `POST` unless said otherwise. */
  readonly method?: string | undefined
  /** What to do with a message of the server that the route's schema refuses: end the channel, unless said otherwise. */
  readonly onInvalid?: OnInvalid | undefined
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
   * Opens a channel and waits until the server has taken it.
   *
   * @throws ChannelError `NOT_FOUND` when the server has no such route, `UNSUPPORTED_CODEC` when it takes or gives none of
   *   this side's formats, `REFUSED` for any other status, `BAD_RESPONSE` when what accepted is no peer of this route,
   *   `CONNECT_FAILED` when there is no answer (`cause` says why), `TIMEOUT` or `CANCELLED` from the signal,
   *   `INVALID_ARGUMENT` for a parameter that fits no path, or an `onInvalid` that is no function.
   */
  open<Path extends string, C, S>(
    route: Route<Path, C, S>,
    ...options: OpenArguments<NoInfer<Path>>
  ): Promise<Channel<C, S>>

  /** Lets open channels end, then closes the client's own connections. */
  close(): Promise<void>
}

/**
 * A client of the service at `origin`, such as `https://pricing.internal:8443`. A path in it is put before each route's.
 *
 * @throws ChannelError `INVALID_ARGUMENT` when `origin` is no such URL, or a limit is none.
 *
 * @example
 * ```ts
 * const client = createClient('https://pricing.internal:8443', { tls: { ca } })
 * await using channel = await client.open(quotes, { params: { market: 'xetra' } })
 * await channel.send({ symbols: ['SAP'] })
 * for await (const quote of channel) console.log(quote)
 * ```
 */
export function createClient(origin: string | URL, options: ClientOptions = {}): Client {
  const base = parseOrigin(origin)
  const limits = limitsFrom(options.limits)
  const own = options.sessions === undefined ? new OwnSessions() : undefined
  const sessions = options.sessions ?? own
  const close = async (): Promise<void> => own?.close()
  return {
    async open<Path extends string, C, S>(
      route: Route<Path, C, S>,
      ...[given = {}]: [options?: OpenOptions & { readonly params?: Readonly<Record<string, string>> }]
    ): Promise<Channel<C, S>> {
      checkHook('onInvalid', given.onInvalid)
      const url = new URL(base.pathname.replace(/\/$/, '') + fillPath(route.path, given.params ?? {}), base)
      const sends = formatsOf(route.client, route.framing)
      const receives = formatsOf(route.server, route.framing)
      const [send] = sends
      if (send === undefined) throw new ChannelError('INVALID_ROUTE', `${route.path} has no codec for the client`)
      const { signal, method } = given
      const asked = typeof options.headers === 'function' ? options.headers() : options.headers
      const common = await unlessGivenUp(asked, signal)
      const { tls, connectTimeout } = options
      const headers = {
        ...common,
        ...given.headers,
        'content-type': send.mediaType,
        accept: listed(receives),
        ...(send.framing.control ? { [announcement]: version } : {}),
      }
      const opening = connect(url, { signal, method, tls, connectTimeout, sessions, headers })
      const conn = await opening.catch((error: unknown) => {
        throw openFailure(error, url, signal)
      })
      try {
        return channelOf(conn, send, receives, { limits, onInvalid: given.onInvalid })
      } catch (error) {
        conn.abort(error)
        throw error
      }
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/** Makes the channel once the response's content type has said that what follows is one. */
function channelOf<C, S>(
  conn: Http2Conn,
  send: Format<C>,
  receives: readonly Format<S>[],
  options: Pick<ChannelOptions<C, S>, 'limits' | 'onInvalid'>,
): Channel<C, S> {
  const contentType = conn.headers['content-type']
  const receive = formatNamed(receives, contentType)
  // Plain peers of lines or records may name no type. Bytes of an unknown kind are not taken for length prefixes.
  if (receive === undefined || (contentType === undefined && receive.framing.control)) {
    throw new ChannelError('BAD_RESPONSE', `the response is ${contentType}, not one of ${listed(receives)}`)
  }
  return new Channel<C, S>(conn, {
    send: send.codec,
    receive: receive.codec,
    framing: { send: send.framing, receive: receive.framing },
    control: isAnnounced(conn.headers[announcement]),
    ...options,
  })
}

/** Waits for `value`, for as long as the signal allows. */
async function unlessGivenUp<T>(value: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return value
  return new Promise((resolve, reject) => {
    const giveUp = (): void => reject(givenUp('opening the channel', signal.reason))
    if (signal.aborted) giveUp()
    signal.addEventListener('abort', giveUp)
    const release = (): void => signal.removeEventListener('abort', giveUp)
    void Promise.resolve(value).then(resolve, reject).then(release)
  })
}

function openFailure(error: unknown, url: URL, signal: AbortSignal | undefined): unknown {
  if (!(error instanceof ConnError)) return error
  const cause = error
  switch (error.code) {
    case 'TIMEOUT':
    case 'CANCELLED':
      return givenUp('opening the channel', signal?.reason)
    case 'INVALID_ARGUMENT':
      return new ChannelError('INVALID_ARGUMENT', error.message, { cause })
    case 'UNEXPECTED_STATUS':
      return refusal(error, url)
    case 'SESSIONS_CLOSED':
      return new ChannelError('CLOSED', 'open after the client, or its sessions, were closed', { cause })
    default:
      return new ChannelError('CONNECT_FAILED', error.message, { cause })
  }
}

function refusal(cause: ConnError, url: URL): ChannelError {
  const status = cause.response?.status ?? 0
  const isFormat = status === 415 || status === 406
  // A page may be anything. Lists of formats are wanted whole: where two layouts differ may be far in.
  const most = isFormat ? Infinity : 200
  const said = printable(new TextDecoder().decode(cause.response?.body).trim()).slice(0, most)
  const message = `${url.pathname} was refused with status ${status}${said === '' ? '' : `: ${said}`}`
  if (status === 404) return new ChannelError('NOT_FOUND', message, { cause })
  if (isFormat) return new ChannelError('UNSUPPORTED_CODEC', message, { cause })
  return new ChannelError('REFUSED', message, { cause })
}

function fillPath(path: string, params: Readonly<Record<string, string>>): string {
  const lost = Object.entries(params).find(([, value]) => value === '.' || value === '..')
  if (lost !== undefined) {
    throw new ChannelError('INVALID_ARGUMENT', `${path}: no URL can hold ${JSON.stringify(lost[1])} as its ${lost[0]}`)
  }
  try {
    return compile(path)(params)
  } catch (cause) {
    throw new ChannelError('INVALID_ARGUMENT', `${path}: ${cause instanceof Error ? cause.message : ''}`, { cause })
  }
}

function parseOrigin(origin: string | URL): URL {
  try {
    const url = new URL(origin)
    if (url.protocol === 'https:' || url.protocol === 'http:') return url
  } catch {
    // Told below, like any other.
  }
  throw new ChannelError('INVALID_ARGUMENT', `a client needs an http: or https: URL, not ${String(origin)}`)
}
