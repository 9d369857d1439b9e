// #region handler
import { Channel } from '@h2channel/channel'
import { createRouter, Refusal } from '@h2channel/channel/server'
import { channelPair, startServer, testClock } from '@h2channel/channel/testing'
import { pipe } from '@h2channel/conn'
import { expect, test, vi } from 'vitest'

import { requestId, serveSums, sums, withRequestId } from '../src/testing.ts'

test('a handler, without a network', async () => {
  const [client, server] = channelPair(sums)
  const handled = serveSums(server, { params: { unit: 'EUR' } })
  await client.sendAll([{ add: 1 }, { add: 2 }])
  await client.end()
  expect(await client.receive()).toEqual({ sum: 1, unit: 'EUR' })
  expect(await client.receive()).toEqual({ sum: 3, unit: 'EUR' })
  await handled
})
// #endregion

// #region server
test('a whole server, with authorization', async () => {
  const router = createRouter({
    authorize({ headers }) {
      if (headers.authorization !== 'Bearer token') throw new Refusal(401, 'who are you?')
    },
  })
  await using server = await startServer(router.handle(sums, serveSums)) // { tls: true } is possible too
  const stranger = server.client()
  const params = { unit: 'EUR' }
  await expect(stranger.open(sums, { params })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })

  const client = server.client({ headers: { authorization: 'Bearer token' } })
  await using channel = await client.open(sums, { params })
  await channel.send({ add: 1 })
  expect(await channel.receive()).toEqual({ sum: 1, unit: 'EUR' })
})
// #endregion

// #region time
test('an idle channel stays open for an hour', async () => {
  const clock = testClock()
  const [client, server] = channelPair(sums, { clock })
  await clock.advance(3_600_000)
  await client.send({ add: 1 })
  expect(await server.receive()).toEqual({ add: 1 })
})

test('a peer that sends nothing is detected after 35 s', async () => {
  const clock = testClock()
  const [conn] = pipe() // the other end stays silent
  const channel = new Channel(conn, { send: sums.client, receive: sums.server, control: true, clock })
  const received = channel.receive()
  await Promise.all([expect(received).rejects.toMatchObject({ code: 'PEER_SILENT' }), clock.advance(35_000)])
})
// #endregion

// #region faults
test('the peer resets the channel', async () => {
  const [client, server] = channelPair(sums)
  server.abort(new Error('a bug'))
  await expect(client.receive()).rejects.toMatchObject({ code: 'PEER_ABORTED' })
})

test('the connection is lost', async () => {
  const server = await startServer(createRouter().handle(sums, serveSums))
  const channel = await server.client().open(sums, { params: { unit: 'EUR' } })
  const received = channel.receive()
  await Promise.all([
    expect(received).rejects.toMatchObject({ code: 'CONN_LOST' }),
    server[Symbol.asyncDispose](), // destroys all sockets
  ])
})

test('the peer does not read', async () => {
  const [client] = channelPair(sums, { limits: { maxBufferedBytes: 1, maxWaitingSends: 1 } })
  const sends = Array.from({ length: 100 }, async () => client.send({ add: 1 }))
  await expect(Promise.all(sends)).rejects.toMatchObject({ code: 'SEND_BUFFER_FULL' })
  client.abort()
  await Promise.allSettled(sends)
})

test('the peer sends an invalid message', async () => {
  const [client, server] = channelPair(sums)
  const handled = serveSums(server, { params: { unit: 'EUR' } })
  await client.send({ add: 'one' } as never)
  await expect(handled).rejects.toMatchObject({ code: 'INVALID_MESSAGE' })
})
// #endregion

// #region fake-timers
test('fake timers of the runner do not move the time of channels', async () => {
  vi.useFakeTimers()
  try {
    const [client, server] = channelPair(sums)
    vi.advanceTimersByTime(3_600_000)
    await client.send({ add: 1 })
    expect(await server.receive()).toEqual({ add: 1 })
  } finally {
    vi.useRealTimers()
  }
})
// #endregion

// #region context
test('each channel has its own context', async () => {
  const seen = new Map<number, string | undefined>()
  const handler = withRequestId(async (channel: Parameters<typeof serveSums>[0]) => {
    for await (const { add } of channel) {
      await new Promise(setImmediate)
      seen.set(add, requestId())
    }
  })
  const ids = ['one', 'two']
  await Promise.all(
    ids.map(async (id, index) => {
      const [client, server] = channelPair(sums)
      const handled = handler(server, { headers: { 'x-request-id': id } })
      await client.send({ add: index })
      await client.end()
      await handled
    }),
  )
  expect(seen).toEqual(
    new Map([
      [0, 'one'],
      [1, 'two'],
    ]),
  )
})
// #endregion
