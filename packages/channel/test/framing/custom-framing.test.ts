/** A custom framing with control frames. Each frame has a byte for its kind, its length, and its body. */
import { json } from '@h2channel/codecs'
import { pipe } from '@h2channel/conn/web'
import { describe, expect, test } from 'vitest'

import { coreOf } from '../../src/core/channel.ts'
import type { FrameDecoder, Framing } from '../../src/index.ts'
import { Channel, ChannelError } from '../../src/index.ts'
import { failOnUnhandledRejections, failure, outcome, until } from '../support/support.ts'

failOnUnhandledRejections()

class TaggedDecoder implements FrameDecoder {
  control = false
  bytes = new Uint8Array(0)
  offset = 0
  length = 0
  #rest = new Uint8Array(0)

  get buffered(): number {
    return this.#rest.length
  }

  get held(): number {
    return this.#rest.length
  }

  push(chunk: Uint8Array): void {
    this.#rest = Uint8Array.from([...this.#rest, ...chunk])
  }

  next(): boolean {
    const [kind, high = 0, low = 0] = this.#rest
    const end = 3 + 256 * high + low
    if (kind === undefined || this.#rest.length < end) return false
    this.control = kind === 1
    this.bytes = this.#rest
    this.offset = 3
    this.length = end - 3
    this.#rest = this.#rest.slice(end)
    return true
  }

  end(): void {
    if (this.#rest.length > 0) throw new ChannelError('TRUNCATED_FRAME', 'the stream ended inside a frame')
  }
}

const tagged: Framing = {
  name: 'tagged',
  control: true,
  carries: () => true,
  begin: (out) => out.write(Uint8Array.of(0, 0, 0)),
  end(out, start, limit) {
    const length = out.position - start - 3
    if (length > limit) throw new ChannelError('MESSAGE_TOO_LARGE', `over ${limit}`, { side: 'local', fatal: false })
    out.bytes[start + 1] = length >> 8
    out.bytes[start + 2] = length & 0xff
  },
  markControl(out, start) {
    out.bytes[start] = 1
  },
  decoder: () => new TaggedDecoder(),
}

function pair(framing: Framing = tagged): [Channel<string, string>, Channel<string, string>] {
  const options = { send: json<string>(), receive: json<string>(), framing, control: true }
  const [left, right] = pipe()
  return [new Channel(left, options), new Channel(right, options)]
}

describe('a custom framing with control frames', () => {
  test('carries messages both ways', async () => {
    const [left, right] = pair()
    await left.sendAll(['a', 'b', 'c'.repeat(2_000)])
    await left.end()
    const received: string[] = []
    for await (const message of right) received.push(message)
    expect(received).toEqual(['a', 'b', 'c'.repeat(2_000)])
    await Promise.all([left.close(), right.close()])
  })

  test('carries the stop of a peer that receives no more', async () => {
    const [left, right] = pair()
    await left.send('a')
    for await (const message of right) {
      expect(message).toBe('a')
      break
    }
    await until(() => left.stats.received.bytes > 0)
    await failure(left.send('b'), 'PEER_STOPPED')
    await right.send('the other half is still open')
    expect(await left.receive()).toBe('the other half is still open')
    await Promise.all([left.close(), right.close()])
  })

  test('carries the error with which a peer closes', async () => {
    const [left, right] = pair()
    coreOf(left).closeWithError(new ChannelError('GOING_AWAY', 'done', { side: 'local' }))
    await outcome(right, 'GOING_AWAY')
    expect((await failure(right.receive(), 'GOING_AWAY')).side).toBe('remote')
  })

  test.each([true, false])(
    'may throw an error of another version of this package, control frames: %s',
    async (control) => {
      const foreign = Object.assign(new Error('x'), { name: 'ChannelError', code: 'NEW_CODE' })
      const decoder = (): FrameDecoder =>
        Object.assign(new TaggedDecoder(), {
          next: () => {
            throw foreign
          },
        })
      const options = { send: json<string>(), receive: json<string>(), control }
      const [left, right] = pipe()
      const receiver = new Channel(left, { ...options, framing: { send: tagged, receive: { ...tagged, decoder } } })
      const sender = new Channel(right, { ...options, framing: tagged })
      await sender.send('a')
      await expect(receiver.receive()).rejects.toBe(foreign)
      expect(await receiver.closed).toEqual({ clean: false, error: foreign })
      await failure(sender.receive(), 'PEER_ABORTED')
    },
  )

  test('is refused without the method that marks them', () => {
    const { markControl, ...unmarked } = tagged
    expect(markControl).toBeDefined()
    expect(() => pair(unmarked)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
})
