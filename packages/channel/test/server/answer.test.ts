/** `router.answer`. */
import { json } from '@h2channel/codecs'
import { describe, expect, test } from 'vitest'

import { defineRoute } from '../../src/index.ts'
import type { Router } from '../../src/server.ts'
import { serve } from '../support/server-support.ts'
import {
  deferred,
  failOnUnhandledRejections,
  failure,
  outcome,
  receiveAll,
  settled,
  thrown,
  until,
} from '../support/support.ts'

failOnUnhandledRejections()

const numbers = defineRoute('/numbers/:by', { client: json<number>(), server: json<number>() })
const params = { by: '2' }
const multiply = (router: Router): unknown =>
  router.answer(numbers, (message, context) => message * Number(context.params.by))

describe('answer', () => {
  test('answers calls, and each message of a channel in order (CALL-2)', async () => {
    await using served = await serve(multiply)
    const client = served.client()
    expect(await client.call(numbers, 21, { params })).toBe(42)
    const channel = await client.open(numbers, { params, initial: [1] })
    await channel.sendAll([2, 3])
    await channel.end()
    expect(await receiveAll(channel)).toEqual([2, 4, 6])
    expect(await channel.closed).toEqual({ clean: true })
    await until(() => served.router.channels === 0)
    expect(served.errors).toEqual([])
  })

  test('takes one message at a time, whatever each takes', async () => {
    const started: number[] = []
    const first = deferred()
    await using served = await serve((router) => {
      router.answer(numbers, async (message) => {
        started.push(message)
        if (message === 1) await first.promise
        return message
      })
    })
    const channel = await served.client().open(numbers, { params, initial: [1, 2] })
    await until(() => started.length === 1)
    await settled()
    expect(started).toEqual([1])
    first.resolve()
    await channel.end()
    expect(await receiveAll(channel)).toEqual([1, 2])
  })

  test('is held back by a client that does not read its replies', async () => {
    let answered = 0
    const text = defineRoute('/text', { client: json<number>(), server: json<string>() })
    const reply = 'x'.repeat(256 * 1024)
    await using served = await serve((router) => {
      router.answer(text, () => {
        answered += 1
        return reply
      })
    })
    const channel = await served.client().open(text)
    await channel.sendAll(Array.from({ length: 100 }, (_, index) => index))
    await channel.end()
    let before = -1
    while (before !== answered) {
      before = answered
      await settled()
    }
    expect(answered).toBeLessThan(50)
    expect(await receiveAll(channel)).toHaveLength(100)
  })

  test('ends the channel with INTERNAL where it throws, after the replies before', async () => {
    await using served = await serve((router) => {
      router.answer(numbers, async (message) => {
        if (message === 2) throw new Error('secret')
        return message
      })
    })
    const channel = await served.client().open(numbers, { params, initial: [1, 2, 3] })
    expect(await channel.receive()).toBe(1)
    await failure(channel.receive(), 'INTERNAL')
    await outcome(channel, 'INTERNAL')
    expect(served.errors).toMatchObject([{ message: 'secret' }])
  })

  test('fails where it returns undefined: a client would wait for ever', async () => {
    await using served = await serve((router) => router.answer(numbers, () => undefined as never))
    await failure(served.client().call(numbers, 1, { params }), 'INTERNAL')
    expect(String(served.errors[0])).toMatch(/answer of \/numbers\/:by is undefined/)
  })

  test('reports a reply that cannot be sent', async () => {
    await using served = await serve((router) => router.answer(numbers, () => 1n as never))
    await failure(served.client().call(numbers, 1, { params }), 'INTERNAL')
    expect(served.errors).toMatchObject([{ code: 'ENCODE_FAILED' }])
  })

  test('continues while the router drains, until the client has ended', async () => {
    await using served = await serve(multiply)
    const client = served.client()
    const channel = await client.open(numbers, { params })
    const drained = served.router.drain({ timeout: 5_000 })
    await until(() => channel.draining.aborted)
    await channel.send(4)
    expect(await channel.receive()).toBe(8)
    await channel.end()
    expect(await channel.receive()).toBeUndefined()
    await drained
  })

  test('does not report a caller that left', async () => {
    const asked = deferred()
    await using served = await serve((router) => {
      router.answer(numbers, async (_message, { signal }) => {
        asked.resolve()
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason as Error))
        })
        return 1
      })
    })
    const channel = await served.client().open(numbers, { params, initial: [1] })
    await asked.promise
    channel.abort()
    await until(() => served.router.channels === 0)
    expect(served.errors).toEqual([])
  })

  test('takes the options of handle, and refuses a path that is served', async () => {
    await using served = await serve((router) => {
      router.answer(numbers, (message) => message, { limits: { maxMessageBytes: 5 } })
      thrown(() => router.handle(numbers, () => {}), 'INVALID_ROUTE')
      thrown(() => router.answer(numbers, () => 1), 'INVALID_ROUTE')
    })
    await failure(served.client().call(numbers, 123_456, { params }), 'MESSAGE_TOO_LARGE')
    expect(await served.client().call(numbers, 1, { params })).toBe(1)
  })
})
