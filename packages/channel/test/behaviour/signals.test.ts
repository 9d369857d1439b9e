/** `signal: null` means no signal, as for `fetch`. Any other value that is not an AbortSignal is refused at once. */
import { json } from '@h2channel/codecs'
import { describe, expect, test } from 'vitest'

import { createClient } from '../../src/client.ts'
import { defineRoute } from '../../src/index.ts'
import { serve } from '../support/server-support.ts'
import { channels, failOnUnhandledRejections, failure, settled } from '../support/support.ts'

failOnUnhandledRejections()

const echo = defineRoute('/echo', { client: json<number>(), server: json<number>() })

/** As a program without types may give them. */
const others: readonly (readonly [string, AbortSignal])[] = [
  ['an object', {}],
  ['a controller', new AbortController()],
  ['a number', 5_000],
  ['a text', 'signal'],
  ['false', false],
  ['an event target', new EventTarget()],
  ['what only says that it has aborted', { aborted: true }],
].map(([name, value]) => [name as string, value as AbortSignal])

describe('null', () => {
  test('receive waits', async () => {
    const [left, right] = channels<number>()
    const received = left.receive({ signal: null })
    await right.send(1)
    expect(await received).toBe(1)
    left.abort()
  })

  test('send and sendAll send, and wait where there is no room', async () => {
    const [left, right] = channels<string>({ limits: { maxBufferedBytes: 10 }, pipe: { highWaterMark: 10 } })
    const sent = Array.from({ length: 5 }, async () => left.send('0123456789', { signal: null }))
    const all = left.sendAll(['1', '2'], { signal: null })
    const came: (string | undefined)[] = []
    for (let index = 0; index < 7; index += 1) came.push(await right.receive())
    await Promise.all([...sent, all])
    expect(came.slice(5)).toEqual(['1', '2'])
    left.abort()
  })

  test('open opens', async () => {
    await using served = await serve((router) => router.handle(echo, async (channel) => channel.send(1)))
    await using channel = await served.client().open(echo, { signal: null })
    expect(await channel.receive()).toBe(1)
  })
})

describe.each(others)('%s', (_, signal) => {
  test('receive is refused, and consumes no message', async () => {
    const [left, right] = channels<number>()
    expect(await failure(left.receive({ signal }), 'INVALID_ARGUMENT')).toMatchObject({ side: 'local', fatal: false })
    const next = left.receive()
    await failure(left.receive({ signal }), 'INVALID_ARGUMENT')
    await right.send(1)
    expect(await next).toBe(1)
    left.abort()
  })

  test('send is refused, and sends nothing', async () => {
    const [left, right] = channels<string>({ limits: { maxBufferedBytes: 10 } })
    await failure(left.send('at once', { signal }), 'INVALID_ARGUMENT')
    const waiting = [left.send('0123456789'), left.send('0123456789')]
    await failure(left.send('later', { signal }), 'INVALID_ARGUMENT')
    await settled()
    await right.receive()
    await right.receive()
    await Promise.all(waiting)
    await left.send('last')
    expect(await right.receive()).toBe('last')
    left.abort()
  })

  test('sendAll is refused before it asks for a message', async () => {
    const [left] = channels<number>()
    let asked = 0
    const messages = {
      [Symbol.iterator]: () => {
        asked += 1
        return [1][Symbol.iterator]()
      },
    }
    await failure(left.sendAll(messages, { signal }), 'INVALID_ARGUMENT')
    expect(asked).toBe(0)
    left.abort()
  })

  test('open is refused before any hook is called', async () => {
    const told: unknown[] = []
    const headers = () => {
      told.push('headers')
      return {}
    }
    const client = createClient('http://127.0.0.1:1', { headers, onEvent: (event) => void told.push(event) })
    await failure(client.open(echo, { signal }), 'INVALID_ARGUMENT')
    expect(told).toEqual([])
    await client.close()
  })
})
