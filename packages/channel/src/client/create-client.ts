/** The client's side: opens channels to the routes of a service. */
import { addAbortListener, connDefaults, removeAbortListener, SessionPool } from '@h2channel/conn'

import { AddressPool, parseAddresses } from './address-pool.ts'
import { receiveReply } from './call.ts'
import type {
  CallArguments,
  ClientCloseOptions,
  ClientOptions,
  KeepOpenArguments,
  KeepOpenOptions,
  OpenArguments,
  OpenOptions,
} from './client-options.ts'
import type { KeepOpenContext } from './keep-open.ts'
import { keepOpen as keepChannelOpen } from './keep-open.ts'
import type { ClientRoute, ClientSettings } from './open-call.ts'
import { prepareRoute } from './open-call.ts'
import type { OnClientEvent } from './events.ts'
import { encodeInitial } from './initial.ts'
import type { Channel } from '../core/channel.ts'
import { checkIterable, coreOf } from '../core/channel.ts'
import type { ChannelCore } from '../core/channel-core.ts'
import { drainChannels, forceCloseDelay } from '../core/drain-channels.ts'
import { abortError, ChannelError, signalError } from '../errors.ts'
import { callHook } from '../observe/hooks.ts'
import type { RetryLimits } from '../options.ts'
import { checkDelay, checkHook, resolveLimits, resolveRetry } from '../options.ts'
import { openWithRetry } from './retry.ts'
import type { Route } from '../route/route.ts'
import { fillPath } from '../route/route.ts'
import { refClock } from '../runtime/clock.ts'

/** Opens channels to one service. They share connections, which keep the process alive only while a channel is open. */
export interface Client extends AsyncDisposable {
  /**
   * Opens a channel, and resolves once the server has accepted it. While no handler can have seen the request, it is
   * sent again after a delay, as the client's `retry` says, with its `initial` messages. No handler gets a message
   * twice, unless a proxy answers 503 for a server that failed after its handler had begun.
   *
   * With several attempts, the error is that of the last. After an error that is `retryable`, another `open` may
   * succeed.
   *
   * @throws ChannelError
   *   - `NOT_FOUND`: the server has no such route.
   *   - `UNSUPPORTED_CODEC`: the server and this side have no format in common.
   *   - `UNAUTHENTICATED`: the server answered with status 401.
   *   - `REFUSED`: it answered with any other error status.
   *   - `BAD_RESPONSE`: what accepted the request is not a server of this route: its status is another 2xx than 200, or
   *     its headers are not those of a channel.
   *   - `CONNECT_FAILED`: there was no response. `cause` says why.
   *   - `TIMEOUT`, `CANCELLED`: from the signal. A handler may have the `initial` messages.
   *   - `CLOSED`: after `close()`.
   *   - `INVALID_ARGUMENT`: an invalid option, or a parameter that does not fit into a path.
   *   - `ENCODE_FAILED`, `MESSAGE_TOO_LARGE`, `SEND_BUFFER_FULL`: `initial` cannot be sent. Nothing was.
   */
  open<Path extends string, C, S>(
    route: Route<Path, C, S>,
    ...options: OpenArguments<NoInfer<Path>, NoInfer<C>>
  ): Promise<Channel<C, S>>

  /**
   * Asks once: opens a channel, sends `message` and the end of this side's half together with the request, and resolves
   * with the one message of the server once that has ended its half. On an open connection that takes one round trip.
   * The call is sent again as {@link open} is, while no handler can have seen it.
   *
   * The channel ends with the call. When `signal` ends the call, the server's `context.signal` aborts.
   *
   * @throws ChannelError the codes of `open`, and
   *   - `NO_REPLY`: the server ended without a message.
   *   - `INVALID_MESSAGE`: it sent a second message, or one that the route does not allow. A server that has ended its
   *     half does not learn it.
   *   - `ENCODE_FAILED`, `MESSAGE_TOO_LARGE`: `message` cannot be sent. Nothing was.
   *   - `TIMEOUT`, `CANCELLED`: from the signal. A handler may have the message.
   *   - the error that ended the channel, such as `INTERNAL` when the handler failed, or `CONN_LOST`.
   *
   * @example
   * ```ts
   * const { price } = await client.call(prices, { symbol: 'SAP' }, { signal: AbortSignal.timeout(2_000) })
   * ```
   */
  call<Path extends string, C, S>(
    route: Route<Path, C, S>,
    message: NoInfer<C>,
    ...options: CallArguments<NoInfer<Path>>
  ): Promise<S>

  /**
   * Keeps a channel open: runs `use` with one channel at a time. It resolves with what `use` returns, once that channel
   * has closed. It opens another, and runs `use` again, when
   *
   * - `use` has returned while its channel was draining, since its server is about to stop,
   * - `use`, or the end of its channel, failed with an error whose `reopen` is true, such as `CONN_LOST`. The delays
   *   are those of `retry`.
   *
   * What was sent on the channel before may have arrived or not: `context.previous` says how that one ended. A client
   * that may not lose messages between two channels sends with each what it had last received.
   *
   * @throws ChannelError
   *   - any other error of `use`, whose channel is aborted, and any other error of {@link open}.
   *   - the last error, after `maxAttempts` channels in a row that could not be opened or ended at once.
   *   - `TIMEOUT`, `CANCELLED`: from the signal.
   *   - `CLOSED`: after `close()`.
   *
   * @example
   * ```ts
   * await client.keepOpen(quotes, async (channel) => {
   *   await channel.send({ symbols: ['SAP'] })
   *   for await (const quote of channel) show(quote)
   * }, { params: { market: 'xetra' }, retry: { maxAttempts: Infinity }, signal })
   * ```
   */
  keepOpen<Path extends string, C, S, Result>(
    route: Route<Path, C, S>,
    use: (channel: Channel<C, S>, context: KeepOpenContext) => Result | Promise<Result>,
    ...options: KeepOpenArguments<NoInfer<Path>, NoInfer<C>>
  ): Promise<Result>

  /**
   * Drains the client's channels, then closes its own connections, but not those of a pool that was passed to it. Both
   * ends of each channel learn that it should end (`channel.draining`). A channel that is still open after `timeout`
   * ends with `GOING_AWAY` at both ends, or is reset a second later if the server does not read. An `open` in progress
   * ends with `CLOSED`, and so does a `call` whose response has not begun.
   *
   * @returns once no channel is open. A second call waits for the same.
   * @throws ChannelError `INVALID_ARGUMENT` for an invalid timeout.
   */
  close(options?: ClientCloseOptions): Promise<void>
}

/**
 * Creates a client of the service at `origins`, such as `https://pricing.internal:8443`. A path in it precedes the path
 * of each route.
 *
 * Several addresses take turns, one for each `open`. An address is left out for a while when it cannot be connected to,
 * when its server refuses streams (GOAWAY, REFUSED_STREAM), or when it answers with 503, as a server does while it
 * drains. That time grows as `retry` says. The `open` that found it continues with another address at once. Only where
 * all are left out does it wait: until the first is due again, but no longer than it would with one address. Each
 * counts as an attempt. A name with several addresses in DNS is one address here.
 *
 * @throws ChannelError `INVALID_ARGUMENT` for an invalid option; when `origins` is empty, mixes `http:` and `https:`,
 *   or has a URL with another protocol, a user, a password, a query or a fragment; and for `tls` with `http:`.
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
  const { clock = refClock, onEvent, connectTimeout = connDefaults.connectTimeout } = options
  const parsed = parseAddresses(origins, options.tls !== undefined)
  const limits = resolveLimits(options.limits)
  checkHook('onEvent', onEvent)
  checkDelay('connectTimeout', connectTimeout)
  const retry = resolveRetry(options.retry)
  const report: OnClientEvent = (event) => {
    if (onEvent !== undefined) callHook('onEvent failed', () => onEvent(event))
  }
  const addresses = new AddressPool(parsed, retry, clock, onEvent && report)
  /** The cores of the channels that are open. */
  const cores = new Set<ChannelCore<never, unknown>>()
  const forget = (core: ChannelCore<never, unknown>): void => void cores.delete(core)
  const routes = new WeakMap<object, ClientRoute<unknown, unknown>>()
  const sessions = options.sessions ?? new SessionPool()
  const ownSessions = options.sessions === undefined ? sessions : undefined
  const closing = new AbortController()
  let closed: Promise<unknown> | undefined

  const settings: ClientSettings = {
    ...options,
    addresses,
    limits,
    connectTimeout,
    sessions,
    onOpen(channel, { name: origin }, path) {
      const core = coreOf(channel)
      cores.add(core)
      core.onEnded = forget
      // A channel makes its `draining` when it is asked for, which would be wasted without a hook.
      if (onEvent === undefined) return
      const onDraining = (): void => {
        if (!closing.signal.aborted) report({ type: 'drain', origin, path })
      }
      channel.draining.addEventListener('abort', onDraining, { once: true })
    },
  }

  /** Opens a channel on which `initial` leaves with the request, and with `end` this side's end too. */
  function request<C, S>(
    route: Route<string, C, S>,
    given: AnyOptions<C>,
    initial: Iterable<C> | undefined,
    end: boolean,
    what: string,
    retryLimits?: RetryLimits,
  ): Promise<Channel<C, S>> {
    checkHook('onInvalid', given.onInvalid)
    checkHook('onSlow', given.onSlow)
    const refused = signalError(given.signal, what)
    if (refused?.code === 'INVALID_ARGUMENT') throw refused
    if (closing.signal.aborted) throw new ChannelError('CLOSED', `${end ? 'call' : 'open'} after the client was closed`)
    const path = fillPath(route.path, given.params ?? noParams)
    let prepared = routes.get(route) as ClientRoute<C, S> | undefined
    if (prepared === undefined) routes.set(route, (prepared = prepareRoute(route)))
    const shared = {
      route: prepared,
      path,
      options: given,
      initial: initial && encodeInitial(initial, prepared.send, settings.limits),
      // A call that is lost is repeated by its caller, who knows whether that is right.
      resume: !end && (given.resume ?? options.resume ?? false),
      end,
    }
    const { signal: own } = given
    if (own === undefined || own === null) {
      return openWithRetry(addresses, { ...shared, signal: closing.signal }, settings, retryLimits)
    }
    const { signal, release } = openSignal(own, closing.signal, what)
    return openWithRetry(addresses, { ...shared, signal }, settings, retryLimits).finally(release)
  }

  async function open<Path extends string, C, S>(
    route: Route<Path, C, S>,
    ...[given = {}]: [given?: AnyOptions<C>]
  ): Promise<Channel<C, S>> {
    const { initial } = given
    if (initial !== undefined) checkIterable(initial, 'initial')
    return await request(route, given, initial, false, 'opening the channel')
  }

  async function call<Path extends string, C, S>(
    route: Route<Path, C, S>,
    message: C,
    ...[given = {}]: [given?: AnyOptions<C>]
  ): Promise<S> {
    const channel = await request(route, given, [message], true, 'the call')
    return await receiveReply(channel, route.path, given.signal)
  }

  async function keepOpen<Path extends string, C, S, Result>(
    route: Route<Path, C, S>,
    use: (channel: Channel<C, S>, context: KeepOpenContext) => Result | Promise<Result>,
    ...[given = {}]: [given?: AnyOptions<C> & KeepOpenOptions<C>]
  ): Promise<Result> {
    const { initial, signal: own } = given
    if (typeof use !== 'function') throw new ChannelError('INVALID_ARGUMENT', 'keepOpen needs a function')
    if (initial !== undefined) checkIterable(initial, 'initial')
    const attempts = resolveRetry(given.retry, retry)
    const what = 'keeping the channel open'
    const refused = signalError(own, what)
    if (refused !== undefined) throw refused
    const ended = openSignal(own ?? new AbortController().signal, new AbortController().signal, what)
    const openOne = (): Promise<Channel<C, S>> => request(route, given, initial, false, what, attempts)
    return await keepChannelOpen(openOne, use, attempts, clock, ended.signal, closing.signal).finally(ended.release)
  }

  async function close({ timeout = connDefaults.closeTimeout }: ClientCloseOptions = {}): Promise<void> {
    checkDelay('timeout', timeout)
    closing.abort(new ChannelError('CLOSED', 'the client was closed before a channel could be opened'))
    // Only then its connections: a channel that has lost its own may need another to end.
    closed ??= closeChannels(timeout).then(() => ownSessions?.close({ timeout: 2 * forceCloseDelay }))
    await closed
  }

  async function closeChannels(timeout: number): Promise<void> {
    const message = `the client was closed, and the channel was still open after ${timeout} ms`
    const error = new ChannelError('GOING_AWAY', message, { side: 'local' })
    const ended = Promise.all(Array.from(cores, async (core) => core.closed))
    await drainChannels(() => [...cores], ended, error, timeout, clock)
  }

  return { open, call, keepOpen, close, [Symbol.asyncDispose]: () => close() }
}

/** The options of any `open` or `call`. */
type AnyOptions<C> = OpenOptions<C> & { readonly params?: Readonly<Record<string, string>> }

const noParams: Readonly<Record<string, string>> = Object.freeze({})

/** A signal that aborts with the error of an `open`: when the caller's signal aborts, or when the client is closed. */
function openSignal(
  own: AbortSignal,
  closing: AbortSignal,
  what: string,
): { readonly signal: AbortSignal; release(): void } {
  const controller = new AbortController()
  const onOwn = (): void => controller.abort(abortError(what, own.reason))
  const onClosing = (): void => controller.abort(closing.reason)
  if (own.aborted) onOwn()
  addAbortListener(own, onOwn)
  addAbortListener(closing, onClosing)
  return {
    signal: controller.signal,
    release() {
      removeAbortListener(own, onOwn)
      removeAbortListener(closing, onClosing)
    },
  }
}
