/** Values from another realm, as `node:vm`, jsdom and test sandboxes create them, work like those of this realm. */
import type { Codec } from '@h2channel/codecs'
import { bytes, CodecError, json, msgpack } from '@h2channel/codecs'
import { ConnError } from '@h2channel/conn'
import { pipe } from '@h2channel/conn/web'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'

import { createClient } from '../../src/client.ts'
import { ChannelError, defineRoute } from '../../src/index.ts'
import { Refusal } from '../../src/server.ts'
import { channelPair } from '../../src/testing.ts'
import { serve } from '../support/server-support.ts'
import { channels, failure } from '../support/support.ts'

const echo = defineRoute('/echo', { client: msgpack(), server: msgpack() })

/** Evaluates an expression in a realm of its own. */
function elsewhere(expression: string): unknown {
  return runInNewContext(`(${expression})`)
}

/** A signal, as a polyfill or jsdom makes one: no instance of this realm's class. */
interface ForeignController {
  readonly signal: AbortSignal
  abort(reason: unknown): void
}

function foreignController(): ForeignController {
  return elsewhere(`(() => {
    const listeners = new Map()
    const signal = {
      aborted: false,
      reason: undefined,
      addEventListener: (type, listener) => void listeners.set(listener, type),
      removeEventListener: (type, listener) => void listeners.delete(listener),
    }
    return {
      signal,
      abort(reason) {
        signal.aborted = true
        signal.reason = reason
        for (const listener of [...listeners.keys()]) listener.handleEvent ? listener.handleEvent() : listener()
      },
    }
  })()`) as ForeignController
}

const timeout = (): unknown => elsewhere("Object.assign(new Error('late'), { name: 'TimeoutError' })")

function channelsOf<T>(codec: Codec<T>) {
  return channelPair(defineRoute('/all', { client: codec, server: codec }))
}

describe('signals', () => {
  test.each<[string, unknown, 'TIMEOUT' | 'CANCELLED']>([
    ['a TimeoutError', timeout(), 'TIMEOUT'],
    ['another error', elsewhere("new Error('no')"), 'CANCELLED'],
    ['nothing', undefined, 'CANCELLED'],
    ['null', null, 'CANCELLED'],
  ])('a wait that ends by %s', async (_, reason, code) => {
    const [left] = channels()
    const [conn] = pipe()
    const [first, second, third] = [foreignController(), foreignController(), foreignController()]
    const waits = [left.receive({ signal: first.signal }), conn.read({ signal: second.signal })]
    first.abort(reason)
    second.abort(reason)
    expect(await failure(Promise.resolve(waits[0]), code)).toMatchObject({ cause: reason })
    await expect(waits[1]).rejects.toMatchObject({ name: 'ConnError', code, cause: reason })
    third.abort(reason)
    await failure(left.send(1, { signal: third.signal }), code)
    left.abort()
    conn.abort()
  })

  test('an open that ends by a TimeoutError', async () => {
    const controller = foreignController()
    const client = createClient('http://127.0.0.1:1', {
      headers: async () => {
        controller.abort(timeout())
        return new Promise(() => {})
      },
    })
    expect((await failure(client.open(echo, { signal: controller.signal }), 'TIMEOUT')).side).toBe('local')
    await client.close()
  })
})

describe('values', () => {
  test.each<[string, string, unknown]>([
    ['a Date', 'new Date(5)', new Date(5)],
    ['a Uint8Array', 'Uint8Array.of(1, 2)', Uint8Array.of(1, 2)],
    ['a view', 'Uint16Array.of(513)', Uint8Array.of(1, 2)],
    ['an object', '({ a: [1, { b: 2 }] })', { a: [1, { b: 2 }] }],
    ['an object of a class', 'new (class Point { x = 1 })()', { x: 1 }],
    ['an object without a prototype', 'Object.assign(Object.create(null), { a: 1 })', { a: 1 }],
  ])('%s, in msgpack', async (_, expression, due) => {
    const [left, right] = channelsOf(msgpack())
    await left.send(elsewhere(expression))
    expect(await right.receive()).toEqual(due)
    left.abort()
  })

  test.each(['new Map()', 'new Set()', 'new ArrayBuffer(1)', '/a/', "new Error('no')", 'new Date(NaN)'])(
    '%s has no form in msgpack either',
    async (expression) => {
      const [left] = channelsOf(msgpack())
      expect((await failure(left.send(elsewhere(expression)), 'ENCODE_FAILED')).fatal).toBe(false)
      left.abort()
    },
  )

  test('bytes', async () => {
    const [left, right] = channelsOf(bytes())
    await left.send(elsewhere('Uint8Array.of(1, 2)') as Uint8Array)
    expect(await right.receive()).toEqual(Uint8Array.of(1, 2))
    left.abort()
  })

  test('an error thrown by a custom codec keeps its text', async () => {
    const [left] = channelsOf({
      ...json(),
      encode() {
        throw elsewhere("new TypeError('mine')") as Error
      },
    })
    expect((await failure(left.send(1), 'ENCODE_FAILED')).message).toBe('mine')
    left.abort()
  })

  test('a Date as the end of credentials', async () => {
    const router = { authorize: () => ({ expiresAt: elsewhere('new Date(Date.now() + 1e6)') as Date }) }
    let expiresAt: unknown
    await using served = await serve(
      (table) =>
        table.handle(echo, async (channel, context) => {
          expiresAt = context.expiresAt
          await channel.send(1)
        }),
      { router },
    )
    await using channel = await served.client().open(echo)
    expect(await channel.receive()).toBe(1)
    expect(expiresAt).toBeInstanceOf(Date)
  })
})

describe('errors', () => {
  const classes = { ChannelError, CodecError, ConnError, Refusal }

  test.each(Object.entries(classes))('%s of another copy of the package is one', (name, Class) => {
    const other = elsewhere(`Object.assign(new Error('no'), { name: '${name}', code: 'CLOSED' })`)
    expect(other instanceof Class).toBe(true)
    expect(elsewhere("new Error('no')") instanceof Class).toBe(false)
    expect((name as unknown) instanceof Class).toBe(false)
    expect((null as unknown) instanceof Class).toBe(false)
  })

  test('classes that extend them are told apart as usual', () => {
    class Mine extends ChannelError {}
    expect(new ChannelError('CLOSED', 'no') instanceof Mine).toBe(false)
    expect(new Mine('CLOSED', 'no') instanceof Mine).toBe(true)
    expect(new Mine('CLOSED', 'no') instanceof ChannelError).toBe(true)
  })

  test.each([
    new (class extends ChannelError {})('CLOSED', 'no'),
    new (class extends CodecError {})('DECODE_FAILED', 'no'),
    new (class extends ConnError {})('CLOSED', 'no'),
    new (class extends Refusal {})(401, 'no'),
  ])('an instance of a class that extends $name is one, whatever its name', (error) => {
    const Class = Object.entries(classes).find(([name]) => name === error.name)?.[1]
    const named = Object.assign(error, { name: 'Mine' })
    expect(Class !== undefined && named instanceof Class).toBe(true)
  })

  test('a Refusal with a name of its own is the answer', async () => {
    class Unknown extends Refusal {
      constructor() {
        super(401, 'who are you?')
        Object.assign(this, { name: 'Unknown' })
      }
    }
    const authorize = (): never => {
      throw new Unknown()
    }
    await using served = await serve((table) => table.handle(echo, async () => {}), { router: { authorize } })
    await failure(served.client().open(echo), 'UNAUTHENTICATED')
    expect(served.errors).toEqual([])
  })

  test('a Refusal of another copy is the answer', async () => {
    const other = elsewhere(
      "Object.assign(new Error('pay first'), { name: 'Refusal', status: 402, headers: { 'x-price': '1' } })",
    ) as Error
    const router = {
      authorize: () => {
        throw other
      },
    }
    await using served = await serve((table) => table.handle(echo, async () => {}), { router })
    const error = await failure(served.client().open(echo), 'REFUSED')
    expect(error.message).toContain('pay first')
    expect(served.errors).toEqual([])
  })
})
