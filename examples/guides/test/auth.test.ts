import type { ChannelError } from '@h2channel/channel'
import { startServer, testClock } from '@h2channel/channel/testing'
import { once } from 'node:events'
import { expect, onTestFinished, test, vi } from 'vitest'

import type { Session, Token, Verify } from '../src/auth.ts'
import { createOrderRouter, openOrders, orders, renew } from '../src/auth.ts'

const minute = 60_000
const inOne = new Date(Date.now() + minute)
const inTen = new Date(Date.now() + 10 * minute)
const session: Session = { user: 'ada', scopes: ['orders:write'], markets: ['xetra'], expiresAt: inOne }
const sessions: Record<string, Session> = {
  'of-ada': session,
  'of-ada-later': { ...session, expiresAt: inTen },
  'of-grace': { ...session, user: 'grace', expiresAt: inTen },
  reader: { ...session, scopes: ['orders:read'] },
  expired: { ...session, expiresAt: new Date(Date.now() - 1) },
}
const verify: Verify = (token) => Promise.resolve(sessions[token])
const params = { market: 'xetra' }
const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` })

test('a token opens the routes and markets that it is for', async () => {
  await using server = await startServer(createOrderRouter(verify))
  const client = server.client()
  await using channel = await client.open(orders, { params, headers: bearer('of-ada') })
  await channel.send({ type: 'order', symbol: 'SAP' })
  expect(await channel.receive()).toEqual({ symbol: 'SAP', by: 'ada' })

  const refusal = async (token: string, market = 'xetra'): Promise<string> => {
    const refused = client.open(orders, { params: { market }, headers: bearer(token) })
    return refused.then(
      () => 'open',
      ({ code, message }: ChannelError) => `${code}: ${message}`,
    )
  }
  expect(await refusal('nonsense')).toMatch(/^UNAUTHENTICATED: .*401: who are you\?$/)
  expect(await refusal('expired')).toMatch(/^UNAUTHENTICATED: .*401: the credentials have expired$/)
  expect(await refusal('reader')).toMatch(/^REFUSED: .*403: scope orders:write is missing$/)
  expect(await refusal('of-ada', 'nyse')).toMatch(/^REFUSED: .*403: not your market$/)
})

test('a channel drains before its token expires, and ends when it does', async () => {
  const clock = testClock()
  await using server = await startServer(createOrderRouter(verify, { clock }))
  await using channel = await server.client().open(orders, { params, headers: bearer('of-ada') })
  const drained = once(channel.draining, 'abort')
  await clock.advance(minute - 5_000)
  await drained
  await clock.advance(5_000)
  expect(await channel.closed).toMatchObject({ clean: false, error: { code: 'UNAUTHENTICATED', side: 'remote' } })
})

test('a new token of the same user keeps the channel open', async () => {
  const clock = testClock()
  await using server = await startServer(createOrderRouter(verify, { clock }))
  const client = server.client()
  const open = { params, headers: bearer('of-ada') }
  await using channel = await client.open(orders, open)
  await using other = await client.open(orders, open)
  const order = { type: 'order', symbol: 'SAP' } as const
  await channel.sendAll([{ type: 'token', token: 'of-ada-later' }, order])
  await other.sendAll([{ type: 'token', token: 'of-grace' }, order])
  // The answers to the orders show that the server has read the tokens.
  await Promise.all([channel.receive(), other.receive()])
  await clock.advance(minute)
  expect(await other.closed).toMatchObject({ clean: false, error: { code: 'UNAUTHENTICATED' } })
  await channel.send(order)
  expect(await channel.receive()).toEqual({ symbol: 'SAP', by: 'ada' })
  expect(channel.draining.aborted).toBe(false)
})

test('a client sends new tokens in time', async () => {
  const received: string[] = []
  const isDone = new AbortController()
  const soon = (): Date => new Date(Date.now() + 20)
  const router = createOrderRouter((token) => {
    received.push(token)
    if (received.length === 4) isDone.abort()
    return Promise.resolve({ ...session, expiresAt: inTen })
  })
  await using server = await startServer(router)
  await using channel = await server.client().open(orders, { params, headers: bearer('token-1') })
  let count = 1
  const next = (): Promise<Token> => Promise.resolve({ token: `token-${(count += 1)}`, expiresAt: soon() })
  await renew(channel, { token: 'token-1', expiresAt: soon() }, next, isDone.signal).catch(() => {})
  expect(received.slice(0, 4)).toEqual(['token-1', 'token-2', 'token-3', 'token-4'])
})

test('the renewals stop when the channel closes, and nothing is left that could fail', async () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  onTestFinished(() => warn.mockRestore())
  const isRenewed = new AbortController()
  const renewed = once(isRenewed.signal, 'abort')
  const received: string[] = []
  const router = createOrderRouter((token) => {
    received.push(token)
    if (received.length === 3) isRenewed.abort()
    return Promise.resolve({ ...session, expiresAt: inTen })
  })
  await using server = await startServer(router)
  let count = 0
  // The third token lasts, so that no renewal is due while the channel closes.
  const next = (): Promise<Token> => {
    count += 1
    return Promise.resolve({ token: `token-${count}`, expiresAt: new Date(Date.now() + (count < 3 ? 20 : 60_000)) })
  }
  const channel = await openOrders(server.client(), 'xetra', next)
  await renewed
  await channel.close()
  expect(received).toEqual(['token-1', 'token-2', 'token-3'])
  expect(warn).not.toHaveBeenCalled()
})

test('a renewal that fails is reported, and leaves the channel open', async () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  onTestFinished(() => warn.mockRestore())
  await using server = await startServer(createOrderRouter(verify))
  const tokens: Token[] = [{ token: 'of-ada', expiresAt: new Date() }]
  const next = async (): Promise<Token> => {
    const token = tokens.pop()
    if (token === undefined) throw new Error('the provider is down')
    return Promise.resolve(token)
  }
  await using channel = await openOrders(server.client(), 'xetra', next)
  await vi.waitFor(() => expect(warn).toHaveBeenCalledWith(expect.any(String), new Error('the provider is down')))
  await channel.send({ type: 'order', symbol: 'SAP' })
  expect(await channel.receive()).toEqual({ symbol: 'SAP', by: 'ada' })
})
