import type { Codec } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn/web'
import { pipe } from '@h2channel/conn/web'

import type { ChannelOptions } from '../core/channel.ts'
import { Channel } from '../core/channel.ts'
import type { Clock } from '../runtime/clock.ts'
import type { LimitOptions, OnInvalid } from '../options.ts'
import type { Format } from '../route/media-types.ts'
import { createFormat, createFormats } from '../route/media-types.ts'
import { lengthPrefixed } from '../framing/length-prefixed.ts'
import type { Route } from '../route/route.ts'

/** Options of `channelPair`. */
export interface ChannelPairOptions {
  /** The limits of both ends. */
  readonly limits?: LimitOptions | undefined
  /** The clock of both ends, such as `testClock()`. Default: the platform's clock. */
  readonly clock?: Clock | undefined
  /** What each end does about an invalid message, as in `client.open` and `router.handle`. */
  readonly onInvalid?: { readonly client?: OnInvalid | undefined; readonly server?: OnInvalid | undefined } | undefined
}

/**
 * Creates both ends of a route, joined in memory: complete channels without a network.
 *
 * @example
 * ```ts
 * const [client, server] = channelPair(quotes)
 * void serveQuotes(server)
 * await client.send({ symbols: ['SAP'] })
 * expect(await client.receive()).toEqual({ symbol: 'SAP', price: 196.2 })
 * ```
 */
export function channelPair<Path extends string, C, S>(
  route: Route<Path, C, S>,
  options: ChannelPairOptions = {},
): [client: Channel<C, S>, server: Channel<S, C>] {
  const [clientConn, serverConn] = pipe()
  const [sent, answered] = [formatOf(route.client, route), formatOf(route.server, route)]
  const { limits, clock, onInvalid } = options
  const client = openChannel(clientConn, sent, answered, {
    limits,
    clock,
    name: route.path,
    onInvalid: onInvalid?.client,
  })
  const server = openChannel(serverConn, answered, sent, {
    limits,
    clock,
    name: route.path,
    onInvalid: onInvalid?.server,
  })
  return [client, server]
}

/** The format that a client and a server would choose. */
function formatOf<T>(codec: Codec<T>, route: Route): Format<T> {
  const [first = createFormat(codec.contentType, codec, lengthPrefixed())] = createFormats(codec, route.framing)
  return first
}

function openChannel<S, R>(
  conn: Conn,
  send: Format<S>,
  receive: Format<R>,
  options: Pick<ChannelOptions<S, R>, 'clock' | 'limits' | 'name' | 'onInvalid'>,
): Channel<S, R> {
  return new Channel<S, R>(conn, {
    send: send.codec,
    receive: receive.codec,
    framing: { send: send.framing, receive: receive.framing },
    control: true,
    ...options,
  })
}
