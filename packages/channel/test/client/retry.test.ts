// oxlint-disable vitest/expect-expect -- many of these tests assert by the helpers of support.ts
/** The retries of `open`. */
import { json } from '@h2channel/codecs'
import { SessionPool } from '@h2channel/conn'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { createServer } from 'node:http2'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'

import { goaway, ok, startRawPeer } from '../../../conn/test/support/raw-peer.ts'
import type { ClientOptions, ClientEvent, RetryOptions } from '../../src/client.ts'
import { createClient } from '../../src/client.ts'
import { defineRoute, newlineDelimited } from '../../src/index.ts'
import { createRouter } from '../../src/server.ts'
import type { TestClock } from '../../src/testing.ts'
import { testClock } from '../../src/testing.ts'
import { bare, deadPort } from '../support/server-support.ts'
import type { Bare } from '../support/server-support.ts'
import { deferred, failOnUnhandledRejections, failure, thrown, until } from '../support/support.ts'

failOnUnhandledRejections()
// Each delay is half its bound.
beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(0.5))
afterEach(() => void vi.restoreAllMocks())

const echo = defineRoute('/echo', { client: json(), server: json() })
const greet = defineRoute('/greet/:name', { client: json(), server: json() })
const lines = defineRoute('/lines', { client: json(), server: json(), framing: newlineDelimited() })

/** The shortest delays, for tests that are not about delays. */
const quick: RetryOptions = { initialDelay: 1, maxDelay: 1 }

const accept = (stream: ServerHttp2Stream): void => {
  stream.respond({ 'content-type': 'application/vnd.h2channel+json' })
  stream.end()
}

const refuseWith =
  (status: number, headers: OutgoingHttpHeaders = {}) =>
  (stream: ServerHttp2Stream): void => {
    stream.respond({ ':status': status, ...headers })
    stream.end()
  }

/** A server that answers each request with the next answer, and all further ones with the last. */
async function answering(...answers: readonly ((stream: ServerHttp2Stream) => void)[]): Promise<Bare> {
  let next = 0
  return bare((stream) => {
    const answer = answers[Math.min(next, answers.length - 1)]
    next += 1
    answer?.(stream)
  })
}

type Retrying = Extract<ClientEvent, { type: 'retry' }>

/** Records the events of a client, and waits for its retries. */
function watch(): {
  readonly events: ClientEvent[]
  readonly onEvent: (event: ClientEvent) => void
  /** The next `retry`. */
  retrying(): Promise<Retrying>
} {
  const events: ClientEvent[] = []
  let seen = 0
  return {
    events,
    onEvent: (event) => void events.push(event),
    async retrying() {
      const found = (): Retrying | undefined => events.filter((event) => event.type === 'retry')[seen]
      await until(() => found() !== undefined)
      const event = found()
      seen += 1
      if (event === undefined) throw new Error('none')
      return event
    },
  }
}

/** A client of `server` whose delays end when the test advances the clock. */
function slowClient(
  server: { readonly origin: string; readonly sessions?: SessionPool },
  options: ClientOptions = {},
): { client: ReturnType<typeof createClient>; clock: TestClock; watched: ReturnType<typeof watch> } {
  const [clock, watched] = [testClock(), watch()]
  const { sessions } = server
  const client = createClient(server.origin, { sessions, clock, onEvent: watched.onEvent, ...options })
  return { client, clock, watched }
}

describe('open is retried', () => {
  test('while no server listens, until one does', async () => {
    const port = await deadPort()
    const { client, clock, watched } = slowClient({ origin: `http://127.0.0.1:${port}` })
    const opening = client.open(echo)
    await clock.advance((await watched.retrying()).delay)
    const { delay, attempt } = await watched.retrying()
    expect(attempt).toBe(2)
    const server = createServer()
    const router = createRouter()
    router.handle(echo, async (channel) => channel.send('at last'))
    router.attach(server)
    await once(server.listen(port, '127.0.0.1'), 'listening')
    await clock.advance(delay)
    const channel = await opening
    expect(await channel.receive()).toBe('at last')
    await channel.close()
    await client.close()
    await new Promise((resolve) => server.close(resolve))
    expect(watched.events).toMatchObject([
      { type: 'retry', attempt: 1, error: { code: 'CONNECT_FAILED', retryable: true } },
      { type: 'retry', attempt: 2 },
      { type: 'open', origin: `http://127.0.0.1:${port}`, path: '/echo', attempts: 3 },
    ])
  })

  test.each([
    ['REFUSED_STREAM', (stream: ServerHttp2Stream): void => stream.close(7)],
    ['status 429', refuseWith(429)],
    ['status 503', refuseWith(503)],
  ])('after %s', async (_what, refusing) => {
    await using server = await answering(refusing, refusing, accept)
    const client = createClient(server.origin, { sessions: server.sessions, retry: quick })
    await (await client.open(echo)).close()
    expect(server.asked).toHaveLength(3)
  })

  test('after GOAWAY that came before the request was processed', async () => {
    let requests = 0
    await using peer = await startRawPeer({
      onRequest(socket, stream) {
        requests += 1
        // `connect` tries three connections within one attempt.
        socket.write(requests <= 4 ? goaway(0, 0) : ok(stream))
      },
    })
    await using sessions = new SessionPool({ closeTimeout: 20 })
    const watched = watch()
    const client = createClient(peer.origin, { sessions, retry: quick, onEvent: watched.onEvent })
    const channel = await client.open(lines)
    expect(watched.events.map(({ type }) => type)).toEqual(['retry', 'open'])
    channel.abort()
  })

  test('up to maxAttempts attempts in all, and then throws the last error', async () => {
    await using server = await answering(refuseWith(503), refuseWith(429), (stream) => stream.close(7))
    const { sessions, origin } = server
    const watched = watch()
    const retry = { ...quick, maxAttempts: 3 }
    const client = createClient(origin, { sessions, retry, onEvent: watched.onEvent })
    const error = await failure(client.open(greet, { params: { name: 'ada' } }), 'CONNECT_FAILED')
    expect(error).toMatchObject({ retryable: true, cause: { code: 'RESET', rstCode: 7 } })
    expect(server.asked).toHaveLength(3)
    const where = { origin, path: '/greet/:name' }
    expect(watched.events).toMatchObject([
      { type: 'retry', attempt: 1, error: { code: 'REFUSED' }, ...where },
      { type: 'retry', attempt: 2, error: { code: 'REFUSED' }, ...where },
      { type: 'fail', attempts: 3, ...where },
    ])
    expect(watched.events.at(-1)).toHaveProperty('error', error)
  })

  test('up to 4 attempts by default, and never with maxAttempts 1', async () => {
    await using server = await bare(refuseWith(503))
    const { sessions } = server
    await failure(createClient(server.origin, { sessions, retry: quick }).open(echo), 'REFUSED')
    expect(server.asked.splice(0)).toHaveLength(4)
    await failure(createClient(server.origin, { sessions, retry: { maxAttempts: 1 } }).open(echo), 'REFUSED')
    expect(server.asked).toHaveLength(1)
  })

  test('not after an error that is not retryable', async () => {
    await using server = await answering(refuseWith(503), refuseWith(500))
    const client = createClient(server.origin, { sessions: server.sessions, retry: quick })
    expect(await failure(client.open(echo), 'REFUSED')).toMatchObject({ cause: { response: { status: 500 } } })
    expect(server.asked).toHaveLength(2)
  })

  test('not after an error of the headers function, even if it looks like a ChannelError', async () => {
    await using server = await bare(accept)
    let asked = 0
    const error = Object.assign(new Error('no token'), { retryable: true })
    const { sessions } = server
    const headers = (): never => {
      asked += 1
      throw error
    }
    const watched = watch()
    const client = createClient(server.origin, { sessions, retry: quick, headers, onEvent: watched.onEvent })
    await expect(client.open(echo)).rejects.toBe(error)
    expect(asked).toBe(1)
    expect(watched.events).toMatchObject([{ type: 'fail', attempts: 1, error }])
  })

  test('with headers from a new call of the headers function', async () => {
    await using server = await answering(refuseWith(503), refuseWith(429), accept)
    let asked = 0
    const { sessions } = server
    const headers = (): OutgoingHttpHeaders => ({ authorization: `token ${(asked += 1)}` })
    const client = createClient(server.origin, { sessions, retry: quick, headers })
    await (await client.open(echo)).close()
    expect(server.asked.map(({ authorization }) => authorization)).toEqual(['token 1', 'token 2', 'token 3'])
  })
})

describe('the delays', () => {
  /** The delays of an `open` that always fails. */
  async function delaysOf(answer: (stream: ServerHttp2Stream) => void, retry: RetryOptions): Promise<number[]> {
    await using server = await bare(answer)
    const { client, clock, watched } = slowClient(server, { retry })
    const opening = failure(client.open(echo), 'REFUSED')
    const delays: number[] = []
    for (let attempt = 1; attempt < (retry.maxAttempts ?? 4); attempt++) {
      const { delay } = await watched.retrying()
      delays.push(delay)
      await clock.advance(delay)
    }
    await opening
    return delays
  }

  test('are random times below a bound that doubles, up to maxDelay', async () => {
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5)
    try {
      expect(await delaysOf(refuseWith(503), { maxAttempts: 9 })).toEqual([50, 100, 200, 400, 800, 1_600, 2_500, 2_500])
      random.mockReturnValue(0.99)
      expect(await delaysOf(refuseWith(503), { initialDelay: 1_000, maxDelay: 3_000 })).toEqual([990, 1_980, 2_970])
      expect(await delaysOf(refuseWith(503), { initialDelay: 1_000, maxDelay: 100 })).toEqual([99, 99, 99])
    } finally {
      random.mockRestore()
    }
  })

  test('end exactly when they are due', async () => {
    await using server = await answering(refuseWith(503, { 'retry-after': '2' }), accept)
    const { client, clock, watched } = slowClient(server)
    const opening = client.open(echo)
    const { delay } = await watched.retrying()
    await clock.advance(delay - 1)
    expect(server.asked).toHaveLength(1)
    await clock.advance(1)
    await (await opening).close()
    expect(server.asked).toHaveLength(2)
  })

  const date = 'Sun, 06 Nov 1994 08:49:37 GMT'
  test.each<[string, OutgoingHttpHeaders, number]>([
    ['seconds', { 'retry-after': '2' }, 2_000],
    ['no seconds', { 'retry-after': '0' }, 0],
    ['a date, by the server’s clock', { date, 'retry-after': 'Sun, 06 Nov 1994 08:49:40 GMT' }, 3_000],
    ['a date that has passed', { date, 'retry-after': 'Sun, 06 Nov 1994 08:49:30 GMT' }, 0],
    ['more than maxDelay', { 'retry-after': '86400' }, 5_000],
    ['more than a number can hold', { 'retry-after': '9'.repeat(400) }, 5_000],
    ['something else', { 'retry-after': '1.5' }, 0],
    ['less than nothing', { 'retry-after': '-5' }, 0],
    ['an invalid date', { 'retry-after': 'Sun, 99 Nov 1994 GMT' }, 0],
    ['nothing', {}, 0],
  ])('are at least as long as retry-after asks: %s (ANS-7)', async (_what, headers, least) => {
    for (const status of [503, 429]) {
      const [delay = 0] = await delaysOf(refuseWith(status, headers), { maxAttempts: 2 })
      expect(delay).toBeGreaterThanOrEqual(least)
      expect(delay).toBeLessThanOrEqual(Math.min(least + 100, 5_000))
    }
  })

  test('compare a date with the local clock, where the server sends no date', async () => {
    const soon = new Date(Date.now() + 3_000).toUTCString()
    const [delay = 0] = await delaysOf(
      (stream) => {
        stream.respond({ ':status': 503, 'retry-after': soon }, { sendDate: false } as object)
        stream.end()
      },
      { maxAttempts: 2 },
    )
    expect(delay).toBeGreaterThan(0)
    expect(delay).toBeLessThanOrEqual(3_100)
  })
})

describe('an open that waits for its next attempt', () => {
  test('ends at once when its signal aborts, with CANCELLED and its reason', async () => {
    await using server = await bare(refuseWith(503))
    const { client, clock, watched } = slowClient(server)
    const controller = new AbortController()
    const opening = client.open(echo, { signal: controller.signal })
    const { delay } = await watched.retrying()
    controller.abort('mine')
    expect(await failure(opening, 'CANCELLED')).toMatchObject({ cause: 'mine', retryable: false })
    await clock.advance(delay)
    expect(server.asked).toHaveLength(1)
    expect(watched.events.at(-1)).toMatchObject({ type: 'fail', attempts: 1, error: { code: 'CANCELLED' } })
  })

  test('ends with TIMEOUT: the timeout of a signal covers all attempts together', async () => {
    await using server = await bare(refuseWith(503))
    const { client, watched } = slowClient(server)
    // As `AbortSignal.timeout` aborts, whose time could pass before the first attempt was answered.
    const controller = new AbortController()
    const opening = failure(client.open(echo, { signal: controller.signal }), 'TIMEOUT')
    await watched.retrying()
    controller.abort(new DOMException('the time is up', 'TimeoutError'))
    const error = await opening
    expect(error).toMatchObject({ side: 'local', cause: { name: 'TimeoutError' } })
    expect(server.asked).toHaveLength(1)
  })

  test('ends when the hook aborts its signal during the retry event', async () => {
    await using server = await bare(refuseWith(503))
    const controller = new AbortController()
    const { client } = slowClient(server, {
      onEvent: ({ type }) => {
        if (type === 'retry') controller.abort()
      },
    })
    await failure(client.open(echo, { signal: controller.signal }), 'CANCELLED')
  })

  test('ends with CLOSED when its client closes', async () => {
    await using server = await bare(refuseWith(503))
    const { client, watched } = slowClient(server)
    const openings = [failure(client.open(echo), 'CLOSED'), failure(client.open(echo), 'CLOSED')]
    await watched.retrying()
    await watched.retrying()
    await client.close()
    expect(await Promise.all(openings)).toMatchObject([{ side: 'local' }, { side: 'local' }])
    expect(server.asked).toHaveLength(2)
    await failure(client.open(echo), 'CLOSED')
  })

  test('leaves no listener and no timer behind', async () => {
    await using server = await answering(refuseWith(503), refuseWith(503), (stream) => {
      stream.respond({ 'content-type': 'text/html' })
      stream.end()
    })
    const controller = new AbortController()
    let listeners = 0
    const { signal } = controller
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)]
    vi.spyOn(signal, 'addEventListener').mockImplementation((...given: Parameters<typeof add>) => {
      listeners += 1
      add(...given)
    })
    vi.spyOn(signal, 'removeEventListener').mockImplementation((...given: Parameters<typeof remove>) => {
      listeners -= 1
      remove(...given)
    })
    const { client, clock, watched } = slowClient(server)
    let timers = 0
    const { setTimer, clearTimer } = clock
    clock.setTimer = (...given) => {
      timers += 1
      return setTimer(...given)
    }
    clock.clearTimer = (timer) => {
      timers -= 1
      clearTimer(timer)
    }
    const opening = failure(client.open(echo, { signal }), 'BAD_RESPONSE')
    for (let count = 0; count < 2; count++) await clock.advance((await watched.retrying()).delay)
    // The open must fail: a channel would set further timers.
    await opening
    expect([listeners, timers]).toEqual([0, 0])
  })

  test('keeps the process alive while it waits, and no longer', async () => {
    await using server = await bare(refuseWith(503, { 'retry-after': '3600' }))
    const program = `
      import { json } from '@h2channel/codecs'
      import { createClient } from '${new URL('../../src/client.ts', import.meta.url).href}'
      const echo = { path: '/echo', client: json(), server: json() }
      const controller = new AbortController()
      let count = 0
      const onEvent = ({ type }) => type === 'retry' && ++count === 2 && process.send('waiting')
      const first = createClient('${server.origin}', { onEvent, retry: { maxDelay: 3_600_000 } })
      const second = createClient('${server.origin}', { onEvent, retry: { maxDelay: 3_600_000 } })
      process.once('message', () => {
        controller.abort()
        void first.close()
        void second.close()
      })
      const opened = await Promise.allSettled([first.open(echo, { signal: controller.signal }), second.open(echo)])
      process.disconnect()
      console.log(opened.map(({ reason }) => reason.code).join())
    `
    const node = spawn(
      process.execPath,
      ['--conditions=@h2channel/source', '--import', import.meta.resolve('tsx'), '--input-type=module', '-e', program],
      { cwd: new URL('..', import.meta.url), stdio: ['ignore', 'pipe', 'inherit', 'ipc'] },
    )
    let said = ''
    node.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()))
    await once(node, 'message')
    node.send('end')
    const [code] = (await once(node, 'close')) as [number]
    expect([code, said]).toEqual([0, 'CANCELLED,CLOSED\n'])
  })
})

describe('retry and onEvent', () => {
  test.each<RetryOptions>([
    { maxAttempts: 0 },
    { maxAttempts: 1.5 },
    { maxAttempts: Number.NaN },
    { initialDelay: 0 },
    { initialDelay: 0.5 },
    { maxDelay: -1 },
    { maxDelay: Infinity },
    { maxDelay: 2 ** 31 },
  ])('createClient rejects %o', (retry) => {
    thrown(() => createClient('http://localhost', { retry }), 'INVALID_ARGUMENT')
  })

  test('createClient rejects a hook that is not a function', () => {
    thrown(() => createClient('http://localhost', { onEvent: 'log' as never }), 'INVALID_ARGUMENT')
  })

  test('a hook that throws or rejects is printed, and changes nothing', async () => {
    const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
    await using server = await answering(refuseWith(503), accept)
    const { sessions } = server
    const error = new Error('mine')
    const throwing = createClient(server.origin, {
      sessions,
      retry: quick,
      onEvent: () => {
        throw error
      },
    })
    await (await throwing.open(echo)).close()
    const rejected = deferred()
    const rejecting = createClient(server.origin, {
      sessions,
      // oxlint-disable-next-line typescript/no-misused-promises -- programs without a linter may do this
      onEvent: () => {
        rejected.resolve()
        return Promise.reject(error)
      },
    })
    await (await rejecting.open(echo)).close()
    await rejected.promise
    expect(printed.mock.calls).toEqual(Array.from({ length: 3 }, () => ['h2channel: onEvent failed:', error]))
  })
})
