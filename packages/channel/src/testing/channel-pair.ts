import type { Codec } from '@h2channel/codecs'
import { pipe } from '@h2channel/conn/web'

import type { Channel } from '../core/channel.ts'
import type { Clock } from '../runtime/clock.ts'
import type { LimitOptions, OnInvalid } from '../options.ts'
import type { Format } from '../route/media-types.ts'
import { createFormat, createFormats } from '../route/media-types.ts'
import { lengthPrefixed } from '../framing/length-prefixed.ts'
import { openChannel } from '../route/negotiate.ts'
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
  const common = { control: true, limits, clock, name: route.path }
  return [
    openChannel(clientConn, sent, answered, { ...common, onInvalid: onInvalid?.client }),
    openChannel(serverConn, answered, sent, { ...common, onInvalid: onInvalid?.server }),
  ]
}

/** The format that a client and a server would choose. */
function formatOf<T>(codec: Codec<T>, route: Route): Format<T> {
  const [first = createFormat('length-prefixed', codec.contentType, codec, lengthPrefixed())] = createFormats(
    codec,
    route.framing,
  )
  return first
}
