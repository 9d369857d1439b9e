// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
/** `client.keepOpen`: one channel at a time, for as long as the program wants it. */
import { json } from '@h2channel/codecs'
import { once } from 'node:events'
import { describe, expect, onTestFinished, test, vi } from 'vitest'

import type { KeepOpenContext } from '../../src/client.ts'
import type { Channel } from '../../src/index.ts'
import { ChannelError, defineRoute } from '../../src/index.ts'
import type { Clock } from '../../src/runtime/clock.ts'
import { systemClock } from '../../src/runtime/clock.ts'
import { testClock } from '../../src/testing.ts'
import { serve } from '../support/server-support.ts'
import { deferred, failOnUnhandledRejections, failure } from '../support/support.ts'

failOnUnhandledRejections()

interface Numbered {
  readonly n: number
}

const numbers = defineRoute('/numbers', { client: json<Numbered>(), server: json<Numbered>() })
const quick = { initialDelay: 1, maxDelay: 5 }

type Ours = Channel<Numbered, Numbered>

/** A server whose handler ends its channels as `ends` says, one after the other. After the last one it echoes. */
async function serveEnds(...ends: readonly ((channel: Ours) => void | Promise<void>)[]): ReturnType<typeof serve> {
  let count = 0
  return await serve((router) =>
    router.handle(numbers, async (channel) => {
      const end = ends[count++]
      if (end !== undefined) return await end(channel)
      for await (const message of channel) await channel.send(message)
    }),
  )
}

const ask = async (channel: Ours): Promise<number | undefined> => {
  await channel.send({ n: 1 })
  return (await channel.receive())?.n
}

/** Delays that double from 77 ms to 616 ms, if nothing were random. None of them passes: the clock only notes them. */
function notedDelays() {
  const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
  onTestFinished(() => random.mockRestore())
  const delays: number[] = []
  const clock: Clock = {
    ...systemClock,
    setTimer(task, delay, subject) {
      const isNoted = delay > 0 && delay % 77 === 0
      if (isNoted) delays.push(delay)
      return systemClock.setTimer(task, isNoted ? 0 : delay, subject)
    },
  }
  return { delays, clock, retry: { initialDelay: 154, maxDelay: 1_232, maxAttempts: Infinity } }
}

describe('keepOpen', () => {
  test('runs the function with a channel, and resolves with what it returns', async () => {
    await using served = await serveEnds()
    const contexts: KeepOpenContext[] = []
    const value = await served.client().keepOpen(numbers, async (channel, context) => {
      contexts.push(context)
      return await ask(channel)
    })
    expect([value, contexts]).toEqual([1, [{ attempt: 1, previous: undefined }]])
  })

  test.each([
    ['an abort of the server', (channel: Ours) => channel.abort()],
    ['a handler that fails', () => Promise.reject(new Error('failed on purpose'))],
  ])('opens again after %s, and says why the channel before ended', async (_what, end) => {
    await using served = await serveEnds(end, end)
    const previous: (string | undefined)[] = []
    const value = await served.client().keepOpen(
      numbers,
      async (channel, context) => {
        previous.push(context.previous?.code)
        return await ask(channel)
      },
      { retry: quick },
    )
    expect(value).toBe(1)
    expect(previous).toHaveLength(3)
    expect(previous[0]).toBeUndefined()
    expect(previous[1]).toBeDefined()
  })

  test('opens again when the function returns while its channel drains', async () => {
    const drained = deferred()
    await using first = await serveEnds()
    const client = first.client({ retry: quick })
    let runs = 0
    const kept = client.keepOpen(numbers, async (channel) => {
      runs += 1
      if (runs > 1) return runs
      void first.router.drain({ timeout: 1_000 }).then(drained.resolve)
      await new Promise((resolve) => channel.draining.addEventListener('abort', resolve))
      return 0
    })
    // Its router refuses new channels from now on.
    await failure(kept, 'REFUSED')
    expect(runs).toBe(1)
    await drained.promise
  })

  test('rejects with any other error, and aborts the channel', async () => {
    const ended = deferred<unknown>()
    await using served = await serveEnds(async (channel) => ended.resolve(await channel.closed))
    const mistake = new Error('a mistake')
    const kept = served.client().keepOpen(numbers, () => Promise.reject(mistake))
    await expect(kept).rejects.toBe(mistake)
    expect(await ended.promise).toMatchObject({ clean: false, error: { code: 'PEER_ABORTED' } })
  })

  test('gives up after maxAttempts channels in a row that ended at once', async () => {
    let count = 0
    await using served = await serve((router) =>
      router.handle(numbers, () => {
        count += 1
        throw new Error('failed on purpose')
      }),
    )
    const kept = served.client().keepOpen(numbers, ask, { retry: { ...quick, maxAttempts: 3 } })
    const error = await failure(kept, 'INTERNAL')
    expect([error.side, count]).toEqual(['remote', 3])
  })

  test('never gives up with maxAttempts: Infinity', async () => {
    const end = (): Promise<void> => Promise.reject(new Error('failed on purpose'))
    await using served = await serveEnds(...Array.from({ length: 20 }, () => end))
    const client = served.client({ retry: { ...quick, maxAttempts: Infinity } })
    expect(await client.keepOpen(numbers, ask)).toBe(1)
  })

  test('opens again after a `send` to a handler that has returned because it drains, and not after another', async () => {
    const clock = testClock()
    const opened = deferred()
    let count = 0
    await using served = await serve(
      (router) =>
        router.handle(numbers, async (channel, context) => {
          count += 1
          if (count > 1) return
          context.expiresAt = Date.now() + 100_000
          const draining = once(channel.draining, 'abort')
          opened.resolve()
          await draining
        }),
      { router: { clock } },
    )
    void opened.promise.then(() => clock.advance(95_000))
    let runs = 0
    const kept = served.client({ retry: quick }).keepOpen(numbers, async (channel) => {
      runs += 1
      while (await channel.receive());
      for (;;) await channel.send({ n: 1 })
    })
    await failure(kept, 'PEER_STOPPED')
    expect(runs).toBe(2)
  })

  test('asks a server that sends one message and then fails ever later', async () => {
    const { delays, clock, retry } = notedDelays()
    const end = async (channel: Ours): Promise<void> => {
      await channel.send({ n: 0 })
      throw new Error('failed on purpose')
    }
    await using served = await serveEnds(end, end, end, end, end, () => {})
    let received = 0
    await served.client({ clock, retry }).keepOpen(numbers, async (channel) => {
      for await (const { n } of channel) received += n + 1
    })
    expect(received).toBe(5)
    expect(delays).toEqual([77, 154, 308, 616, 616])
  })

  test('opens the next channel at once after one that drained, and later where each drains at once', async () => {
    const { delays, clock, retry } = notedDelays()
    const time = testClock()
    await using served = await serve(
      (router) =>
        router.handle(numbers, async (channel, context) => {
          context.expiresAt = Date.now() + 100_000
          // It drains before its credentials expire.
          void time.advance(95_000)
          await channel.receive()
        }),
      { router: { clock: time } },
    )
    const noted: number[] = []
    const enough = new Error('enough')
    const kept = served.client({ clock, retry }).keepOpen(numbers, async (channel, { attempt }) => {
      noted.push(delays.length)
      if (attempt === 4) throw enough
      if (!channel.draining.aborted) await once(channel.draining, 'abort')
    })
    await expect(kept).rejects.toBe(enough)
    expect(noted).toEqual([0, 0, 1, 2])
    expect(delays).toEqual([154, 308])
  })

  test('ends with its signal, and the channel with it', async () => {
    await using served = await serveEnds()
    const ending = new AbortController()
    const kept = served.client().keepOpen(
      numbers,
      async (channel) => {
        await ask(channel)
        ending.abort(new Error('enough'))
        await channel.receive()
      },
      { signal: ending.signal },
    )
    await failure(kept, 'CANCELLED')
  })

  test('ends with its signal where the function never settles, or hides the end of its channel', async () => {
    await using served = await serveEnds()
    const client = served.client()
    const ending = new AbortController()
    const started = deferred()
    const never = client.keepOpen(numbers, () => new Promise<void>(() => started.resolve()), { signal: ending.signal })
    const hiding = client.keepOpen(numbers, async (channel) => channel.receive().catch(() => undefined), {
      signal: ending.signal,
    })
    await started.promise
    ending.abort(new Error('enough'))
    await failure(never, 'CANCELLED')
    await failure(hiding, 'CANCELLED')
  })

  test('ends at once when the client is closed between two channels', async () => {
    const failed = deferred()
    await using served = await serveEnds(async () => Promise.reject(new Error('failed on purpose')))
    const client = served.client({ retry: { initialDelay: 60_000, maxDelay: 60_000, maxAttempts: Infinity } })
    vi.spyOn(Math, 'random').mockReturnValue(0.9)
    onTestFinished(() => void vi.restoreAllMocks())
    const kept = client.keepOpen(numbers, async (channel) => {
      await channel.receive().finally(failed.resolve)
    })
    await failed.promise
    await client.close()
    await failure(kept, 'CLOSED')
  })

  test('resolves with the value of a function that ends because the client is closed', async () => {
    await using served = await serveEnds()
    const client = served.client()
    const kept = client.keepOpen(numbers, async (channel) => {
      void client.close()
      expect(channel.draining.aborted).toBe(true)
      return 'done'
    })
    expect(await kept).toBe('done')
    await failure(client.keepOpen(numbers, ask), 'CLOSED')
  })

  test('refuses what it cannot use', async () => {
    await using served = await serveEnds()
    const client = served.client()
    await failure(client.keepOpen(numbers, undefined as never), 'INVALID_ARGUMENT')
    await failure(client.keepOpen(numbers, ask, { retry: { maxAttempts: 0 } }), 'INVALID_ARGUMENT')
    await failure(client.keepOpen(numbers, ask, { signal: AbortSignal.abort() }), 'CANCELLED')
  })
})

test('reopen says for each error whether opening again is the answer', () => {
  expect(new ChannelError('CONN_LOST', 'x').reopen).toBe(true)
  expect(new ChannelError('INVALID_MESSAGE', 'x').reopen).toBe(false)
  expect(new ChannelError('INTERNAL', 'x').reopen).toBe(false)
})
