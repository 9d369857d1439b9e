/** Who may open a channel, and for how long. */
import { setTimeout as sleep } from 'node:timers/promises'

import type { ClientChannel } from '@h2channel/channel'
import { ChannelError, defineRoute } from '@h2channel/channel'
import type { Client } from '@h2channel/channel/client'
import type { ChannelRequest, Router, RouterOptions } from '@h2channel/channel/server'
import { createRouter, Refusal } from '@h2channel/channel/server'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

export const orders = defineRoute('/orders/:market', {
  client: json(
    z.discriminatedUnion('type', [
      z.object({ type: z.literal('order'), symbol: z.string() }),
      z.object({ type: z.literal('token'), token: z.string() }),
    ]),
  ),
  server: json(z.object({ symbol: z.string(), by: z.string() })),
})

export interface Session {
  readonly user: string
  readonly scopes: readonly string[]
  readonly markets: readonly string[]
  readonly expiresAt: Date
}

/** Checks a token, and returns undefined if it is invalid. */
export type Verify = (token: string, signal: AbortSignal) => Promise<Session | undefined>

// #region authorize
/** A route that is missing here is closed to everyone. */
const scopes = new Map<string, string>([[orders.path, 'orders:write']])

function authorizeBy(verify: Verify) {
  return async ({ route, params, headers, signal }: ChannelRequest): Promise<Session> => {
    const [, token] = /^Bearer (\S+)$/i.exec(headers.authorization ?? '') ?? []
    const session = token === undefined ? undefined : await verify(token, signal)
    if (session === undefined) throw new Refusal(401, 'who are you?', { 'www-authenticate': 'Bearer' })
    const scope = scopes.get(route)
    if (scope === undefined || !session.scopes.includes(scope)) throw new Refusal(403, `scope ${scope} is missing`)
    if (!session.markets.includes(params['market'] ?? '')) throw new Refusal(403, 'not your market')
    return session
  }
}
// #endregion

// #region handler
export function createOrderRouter(verify: Verify, options?: RouterOptions<Session>): Router<Session> {
  const router = createRouter({ ...options, authorize: authorizeBy(verify) })
  return router.handle(orders, async (channel, context) => {
    for await (const message of channel) {
      if (message.type === 'order') await channel.send({ symbol: message.symbol, by: context.auth.user })
      else {
        const renewed = await verify(message.token, context.signal)
        // A token of another user changes nothing: the channel ends when the old one expires.
        if (renewed?.user === context.auth.user) context.expiresAt = renewed.expiresAt
      }
    }
  })
}
// #endregion

export interface Token {
  readonly token: string
  readonly expiresAt: Date
}

// #region renew
/** Sends a new token when half of the time of the last one has passed. */
export async function renew(
  channel: ClientChannel<typeof orders>,
  first: Token,
  next: () => Promise<Token>,
  signal: AbortSignal,
): Promise<void> {
  for (let { expiresAt } = first; ;) {
    await sleep((expiresAt.getTime() - Date.now()) / 2, undefined, { signal, ref: false })
    const renewed = await next()
    await channel.send({ type: 'token', token: renewed.token }, { signal })
    ;({ expiresAt } = renewed)
  }
}

/** Opens a channel whose token is renewed until the channel closes. */
export async function openOrders(client: Client, market: string, next: () => Promise<Token>) {
  const first = await next()
  const headers = { authorization: `Bearer ${first.token}` }
  const channel = await client.open(orders, { params: { market }, headers })
  const stop = new AbortController()
  void channel.closed.then(() => stop.abort())
  renew(channel, first, next, stop.signal).catch((error: unknown) => {
    const hasEnded = stop.signal.aborted || (error instanceof ChannelError && error.code === 'CLOSED')
    if (!hasEnded) console.warn('the token was not renewed:', error)
  })
  return channel
}
// #endregion
