/** What tests of programs that use channels need. */
import { pipe } from '@h2channel/conn/web'

import { Channel } from './channel.ts'
import type { LimitOptions } from './defaults.ts'
import { formatsOf } from './formats.ts'
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
  const [toServer] = formatsOf(route.client, route.framing)
  const [toClient] = formatsOf(route.server, route.framing)
  if (toServer === undefined || toClient === undefined) throw new TypeError('a route has at least one format each way')
  const [clientConn, serverConn] = pipe()
  const control = true
  const { limits } = options
  const client = new Channel<C, S>(clientConn, {
    send: toServer.codec,
    receive: toClient.codec,
    framing: { send: toServer.framing, receive: toClient.framing },
    control,
    limits,
  })
  const server = new Channel<S, C>(serverConn, {
    send: toClient.codec,
    receive: toServer.codec,
    framing: { send: toClient.framing, receive: toServer.framing },
    control,
    limits,
  })
  return [client, server]
}
