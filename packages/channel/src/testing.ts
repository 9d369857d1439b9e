/** What tests of programs that use channels need. */
import type { Codec } from '@h2channel/codecs'
import type { Conn } from '@h2channel/conn/web'
import { pipe } from '@h2channel/conn/web'

import { Channel } from './channel.ts'
import type { LimitOptions } from './defaults.ts'
import type { Format } from './formats.ts'
import { formatsOf } from './formats.ts'
import { lengthPrefixed } from './length-prefixed.ts'
import type { Route } from './route.ts'

export interface ChannelPairOptions {
  /** The limits of both ends. */
  readonly limits?: LimitOptions | undefined
}

/**
 * Both typed ends of a route, joined in memory: everything of a channel but the network.
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
  const client = endOf(clientConn, formatOf(route.client, route), formatOf(route.server, route), options.limits)
  const server = endOf(serverConn, formatOf(route.server, route), formatOf(route.client, route), options.limits)
  return [client, server]
}

/** The format that both sides would agree on. */
function formatOf<T>(codec: Codec<T>, route: Route): Format<T> {
  const [first = { mediaType: codec.contentType, codec, framing: lengthPrefixed() }] = formatsOf(codec, route.framing)
  return first
}

function endOf<S, R>(conn: Conn, send: Format<S>, receive: Format<R>, limits: LimitOptions | undefined): Channel<S, R> {
  return new Channel<S, R>(conn, {
    send: send.codec,
    receive: receive.codec,
    framing: { send: send.framing, receive: receive.framing },
    control: true,
    limits,
  })
}
