/** What happens when a message, while it is encoded, calls the channel: a getter can, and so can an extension. */
import type { Codec } from '@h2channel/codecs'
import { json, msgpack } from '@h2channel/codecs'
import { pipe } from '@h2channel/conn/web'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'

import type { Framing } from '../../src/index.ts'
import { Channel, lengthPrefixed, newlineDelimited } from '../../src/index.ts'
import { failOnUnhandledRejections, failure, receiveAll, settled } from '../support/support.ts'

failOnUnhandledRejections()

/** A message that does something between its first field and its last, once: JSON looks twice, first for the size. */
function calling(run: () => unknown, fails = false): unknown {
  let hasRun = false
  return {
    first: 'x'.repeat(100),
    get middle() {
      if (!hasRun) run()
      hasRun = true
      if (fails) throw new Error('no middle')
      return 'y'.repeat(100)
    },
    last: 'z'.repeat(100),
  }
}

const whole = { first: 'x'.repeat(100), middle: 'y'.repeat(100), last: 'z'.repeat(100) }

type Both = readonly [left: Channel<unknown, unknown>, right: Channel<unknown, unknown>]

/** Both ends of a pipe. */
function opener(codec: Codec<unknown>, framing: Framing): () => Both {
  return () => {
    const [left, right] = pipe().map(
      (conn) => new Channel(conn, { send: codec, receive: codec, framing, control: framing.control }),
    )
    if (left === undefined || right === undefined) throw new Error('unreachable')
    return [left, right]
  }
}

describe.each([
  ['json, length-prefixed', opener(json(), lengthPrefixed())],
  ['msgpack, length-prefixed', opener(msgpack(), lengthPrefixed())],
  ['json, newline-delimited', opener(json(), newlineDelimited())],
])('a message that calls the channel while it is encoded, in %s', (_, open) => {
  test('send: is sent after it', async () => {
    const [left, right] = open()
    const sent: Promise<void>[] = []
    const inner = calling(() => sent.push(left.send(3)))
    await left.send(1)
    await left.send(calling(() => sent.push(left.send(2), left.send(inner), left.send(4))))
    await Promise.all(sent)
    await left.end()
    expect(await receiveAll(right)).toEqual([1, whole, 2, whole, 4, 3])
    await right.close()
  })

  test('send: arrives although that message cannot be encoded and nothing else waits', async () => {
    const [left, right] = open()
    let sent: Promise<void> | undefined
    const failing = left.send(calling(() => (sent = left.send(2)), true))
    await failure(failing, 'ENCODE_FAILED')
    await sent
    await left.end()
    expect(await receiveAll(right)).toEqual([2])
    await right.close()
  })

  test.each([false, true])('end: comes after it (it fails: %s)', async (fails) => {
    const [left, right] = open()
    let ended: Promise<void> | undefined
    const sent = left.send(calling(() => (ended = left.end()), fails))
    if (fails) await failure(sent, 'ENCODE_FAILED')
    else await sent
    await ended
    expect(await receiveAll(right)).toEqual(fails ? [] : [whole])
    await right.close()
    expect(await left.closed).toEqual({ clean: true })
  })

  test('close: comes after it', async () => {
    const [left, right] = open()
    let closed: Promise<void> | undefined
    await left.send(calling(() => (closed = left.close())))
    expect(await receiveAll(right)).toEqual([whole])
    await right.close()
    await closed
    expect(await left.closed).toEqual({ clean: true })
  })

  test('abort: it is not sent, and nothing of it arrives', async () => {
    const [left, right] = open()
    await left.send(1)
    expect(await right.receive()).toBe(1)
    const sent = left.send(calling(() => left.abort()))
    await failure(sent, 'ABORTED')
    await failure(right.receive(), 'PEER_ABORTED')
    await failure(left.send(2), 'ABORTED')
  })

  test('return: the iteration stops, and it arrives whole', async () => {
    const [left, right] = open()
    const iterator = left[Symbol.asyncIterator]()
    let stopped: unknown
    await left.send(calling(() => (stopped = iterator.return?.())))
    await stopped
    await left.send(2)
    expect(await right.receive()).toEqual(whole)
    expect(await right.receive()).toBe(2)
    await Promise.all([left.close(), right.close()])
  })

  test('a turn that ends meanwhile changes nothing', async () => {
    const [left, right] = open()
    await left.send(1)
    await left.send(calling(() => expect(left.bufferedBytes).toBeGreaterThan(0)))
    await settled()
    expect(await right.receive()).toBe(1)
    expect(await right.receive()).toEqual(whole)
    await Promise.all([left.close(), right.close()])
  })
})

test.each([false, true])(
  'a receive within a message: an invalid message is reported to the peer (it fails: %s)',
  async (fails) => {
    const [conn, peer] = pipe()
    const left = new Channel<unknown, unknown>(conn, { send: msgpack(), receive: json(z.string()), control: true })
    const right = new Channel<unknown, unknown>(peer, { send: json(), receive: msgpack(), control: true })
    await right.send(7)
    await settled()
    let received: Promise<unknown> | undefined
    const sent = left.send(calling(() => (received = left.receive()), fails))
    if (fails) await failure(sent, 'ENCODE_FAILED')
    else await sent
    await failure(received ?? Promise.resolve(), 'INVALID_MESSAGE')
    const arrived: unknown[] = []
    const reading = (async () => {
      for await (const message of right) arrived.push(message)
    })()
    await failure(reading, 'INVALID_MESSAGE')
    expect(arrived).toEqual(fails ? [] : [whole])
  },
)

test('a send that waited is not cancelled by a signal that aborts while its message is encoded', async () => {
  const [left, right] = pipe().map(
    (conn) => new Channel(conn, { send: json(), receive: json(), control: true, limits: { maxBufferedBytes: 1 } }),
  )
  const controller = new AbortController()
  const before = left?.send(1)
  const sent = left?.send(
    calling(() => controller.abort()),
    { signal: controller.signal },
  )
  await Promise.all([before, sent, left?.end()])
  expect(controller.signal.aborted).toBe(true)
  expect(right && (await receiveAll(right))).toEqual([1, whole])
})
