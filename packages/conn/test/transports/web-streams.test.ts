import { describe, expect, it } from 'vitest'

import type { ConnError } from '../../src/web.ts'
import { fromWebStreams, pipe, toWebStreams } from '../../src/web.ts'
import { bytes, deferred, failure, readAll, text } from '../support/support.ts'

function neverReadable(): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>()
}

describe('fromWebStreams', () => {
  it('writes one chunk after another, as the sink accepts them', async () => {
    const taken: string[] = []
    const held: (() => void)[] = []
    const conn = fromWebStreams({
      readable: neverReadable(),
      writable: new WritableStream<Uint8Array>({
        write(chunk) {
          taken.push(new TextDecoder().decode(chunk))
          return new Promise((resolve) => held.push(resolve))
        },
      }),
    })
    const writes = Promise.all(['one', 'two', 'three'].map((word) => conn.write(bytes(word))))
    const ended = conn.closeWrite()
    for (const word of ['one', 'two', 'three']) {
      await expect.poll(() => taken.at(-1)).toBe(word)
      held.shift()?.()
    }
    await Promise.all([writes, ended])
    conn.abort()
    expect((await conn.closed).clean).toBe(false)
  })

  it('pulls only for a read', async () => {
    let pulled = 0
    const conn = fromWebStreams({
      readable: new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            pulled += 1
            controller.enqueue(Uint8Array.of(pulled))
          },
        },
        { highWaterMark: 0 },
      ),
      writable: new WritableStream<Uint8Array>(),
    })
    expect(pulled).toBe(0)
    expect([await conn.read(), await conn.read()]).toEqual([Uint8Array.of(1), Uint8Array.of(2)])
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
    expect(pulled).toBeLessThanOrEqual(4)
    conn.abort()
  })

  it.each([
    {
      name: 'the readable fails',
      streams: (cause: Error) => ({
        readable: new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(cause) }),
        writable: new WritableStream<Uint8Array>(),
      }),
    },
    {
      name: 'the writable fails',
      streams: (cause: Error) => ({
        readable: neverReadable(),
        writable: new WritableStream<Uint8Array>({ start: (controller) => controller.error(cause) }),
      }),
    },
    {
      name: 'a write fails',
      streams: (cause: Error) => ({
        readable: neverReadable(),
        writable: new WritableStream<Uint8Array>({ write: () => Promise.reject(cause) }),
      }),
    },
  ])('wakes every waiter when $name, with the cause', async ({ streams }) => {
    const cause = new Error('the cable')
    const conn = fromWebStreams(streams(cause))
    const waits = [conn.read(), conn.read(), conn.write(bytes('a')).then(() => conn.read()), conn.closeWrite()]
    for (const error of await Promise.all(waits.map((wait) => failure(wait, 'CONNECTION_LOST')))) {
      expect(error.cause).toBe(cause)
    }
    expect((await conn.closed).clean).toBe(false)
  })

  it('cancels both streams when it is aborted', async () => {
    const [cancelled, aborted] = [deferred<unknown>(), deferred<unknown>()]
    const conn = fromWebStreams({
      readable: new ReadableStream<Uint8Array>({ cancel: (reason) => cancelled.resolve(reason) }),
      writable: new WritableStream<Uint8Array>({ abort: (reason) => aborted.resolve(reason) }),
    })
    const cause = new Error('enough')
    const read = failure(conn.read(), 'ABORTED')
    conn.abort(cause)
    const error = await read
    expect(error.cause).toBe(cause)
    expect([await cancelled.promise, await aborted.promise]).toEqual([error, error])
  })

  it('cancels a readable that has not ended after close()', async () => {
    const cancelled = deferred<unknown>()
    const conn = fromWebStreams(
      {
        readable: new ReadableStream<Uint8Array>({ cancel: (reason) => cancelled.resolve(reason) }),
        writable: new WritableStream<Uint8Array>(),
      },
      { lingerTimeout: 1 },
    )
    await conn.close()
    expect(await cancelled.promise).toMatchObject({ code: 'RESET' } satisfies Partial<ConnError>)
    expect(await conn.closed).toEqual({ clean: true })
  })
})

describe('toWebStreams', () => {
  it('makes ordinary streams: an echo through pipeTo()', async () => {
    const [left, right] = pipe()
    const { readable, writable } = toWebStreams(right)
    const echoing = readable.pipeTo(writable)
    await left.write(bytes('hello'))
    expect(text(await left.read())).toBe('hello')
    await left.closeWrite()
    expect(await readAll(left)).toBe('')
    await echoing
    expect(await right.closed).toEqual({ clean: true })
  })

  it.each([
    {
      name: 'the readable is cancelled',
      end: ({ readable }: ReturnType<typeof toWebStreams>, why: Error) => readable.cancel(why),
    },
    {
      name: 'the writable is aborted',
      end: ({ writable }: ReturnType<typeof toWebStreams>, why: Error) => writable.abort(why),
    },
  ])('aborts the conn when $name', async ({ end }) => {
    const [left, right] = pipe()
    const read = failure(left.read(), 'RESET')
    const reason = new Error('enough')
    await end(toWebStreams(right), reason)
    await read
    expect(await right.closed).toMatchObject({ clean: false, error: { code: 'ABORTED', cause: reason } })
  })

  it('fails both streams when the conn breaks, whether they wait or not', async () => {
    const [left, right] = pipe()
    const { readable, writable } = toWebStreams(right)
    const reader = readable.getReader()
    const failed = [reader.read(), reader.closed, writable.getWriter().closed]
    left.abort()
    const errors = await Promise.all(failed.map((wait) => failure(wait, 'RESET')))
    expect(new Set(errors).size).toBe(1)
  })
})
