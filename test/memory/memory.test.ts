/**
 * A process holds no more than its limits allow, whatever the size of the messages, the number of channels, and the
 * place where messages wait. Each case has its own server process.
 */
import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { ClientHttp2Session, ClientHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import { connect } from 'node:http2'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'

import type { Answer, Order } from './work.ts'
import { channelBuffer, linkWindow } from './work.ts'

const KiB = 1024
const MiB = 1024 * KiB
const maxBufferedBytes = 32 * MiB
/** How much a channel reads ahead, in addition to all limits. */
const readAhead = 96 * KiB
/** The size of a message that never ends. It is just within the limit of one message. */
const announced = 4 * MiB

type Place = 'unread at the peer' | 'unread here' | 'unfinished'

const places: readonly Place[] = ['unread at the peer', 'unread here', 'unfinished']
const sizes = [20, 200, 1_100, 64 * KiB]

/** A server in its own process. */
class Server implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<never>
  readonly #port: Promise<number>

  constructor() {
    this.#child = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [String(maxBufferedBytes)], {
      execArgv: ['--expose-gc', '--conditions=@h2channel/source', '--import', 'tsx'],
    })
    this.#ended = once(this.#child, 'exit').then(() => Promise.reject(new Error('the server has ended')))
    this.#ended.catch(() => {})
    this.#port = this.#answer().then(Number)
  }

  async url(): Promise<string> {
    return `http://127.0.0.1:${await this.#port}`
  }

  async order(order: Order): Promise<Answer> {
    const answer = this.#answer()
    this.#child.send(order)
    return (await answer) as Answer
  }

  async #answer(): Promise<unknown> {
    const received = once(this.#child, 'message')
    received.catch(() => {})
    const [answer] = (await Promise.race([received, this.#ended])) as [unknown]
    return answer
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
  }
}

/** Opens that many streams. If this side gives no window to a stream, its peer never sends anything. */
async function openAll(
  session: ClientHttp2Session,
  path: string,
  count: number,
  headers: OutgoingHttpHeaders = {},
): Promise<ClientHttp2Stream[]> {
  const streams = Array.from({ length: count }, () => {
    const stream = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/vnd.h2channel+bytes',
      ...headers,
    })
    // The streams that the limit resets.
    stream.on('error', () => {})
    return stream
  })
  await Promise.all(streams.map(async (stream) => once(stream, 'response')))
  return streams
}

/**
 * Sends each piece on all streams in one turn of the event loop, so that small frames of many streams share a packet.
 */
async function sendAll(streams: readonly ClientHttp2Stream[], pieces: readonly Uint8Array[]): Promise<number> {
  let sent = 0
  for (const piece of pieces) {
    let full: ClientHttp2Stream | undefined
    for (const stream of streams) {
      if (stream.destroyed || stream.closed) continue
      sent += piece.length
      if (!stream.write(piece)) full = stream
    }
    if (full !== undefined && !full.destroyed) {
      const gone = new AbortController()
      full.once('close', () => gone.abort())
      await once(full, 'drain', { signal: gone.signal }).catch(() => {})
    }
    await new Promise((resolve) => setImmediate(resolve))
  }
  return sent
}

function framed(size: number): Uint8Array {
  const frame = new Uint8Array(4 + size)
  new DataView(frame.buffer).setUint32(0, size)
  return frame
}

/**
 * The number of messages of a size per channel: for one channel up to a window, for many as much as takes some seconds.
 */
function countOf(size: number, channels: number): number {
  if (channels === 1) return Math.floor(MiB / (size + 4))
  return Math.min(300, Math.ceil((128 * KiB) / size))
}

interface Row {
  readonly place: Place
  readonly channels: number
  readonly size: number
  readonly sent: number
  readonly allowed: number
  readonly growth: number
  readonly left: number
}

async function measure(place: Place, channels: number, size: number): Promise<Row> {
  await using server = new Server()
  const initialWindowSize = place === 'unread at the peer' ? 0 : MiB
  const session = connect(await server.url(), { settings: { initialWindowSize } })
  session.on('error', () => {})
  try {
    const streams = await openAll(session, place === 'unfinished' ? '/receive' : '/wait', channels)
    const before = await server.order({ do: 'begin' })
    expect(before.channels).toBe(channels)
    let sent = 0
    const count = countOf(size, channels)
    if (place === 'unread at the peer') {
      sent = (await server.order({ do: 'broadcast', size, count })).sent
    } else if (place === 'unread here') {
      sent = await sendAll(
        streams,
        Array.from({ length: count }, () => framed(size)),
      )
    } else {
      const prefix = framed(announced).subarray(0, 4)
      const pieces = Array.from({ length: count }, () => new Uint8Array(size))
      sent = await sendAll(streams, [prefix, ...pieces])
    }
    const after = await server.order({ do: 'look' })
    const allowed = Math.min(sent, maxBufferedBytes + (place === 'unread at the peer' ? 0 : channels * readAhead))
    return { place, channels, size, sent, allowed, growth: after.peak - before.rss, left: after.channels }
  } finally {
    session.destroy()
  }
}

const rows: Row[] = []

test.each(
  places.flatMap((place) => [1, 1_000].flatMap((channels) => sizes.map((size) => ({ place, channels, size })))),
)(
  '$place, $channels channels, $size bytes: at most twice the allowed amount, and 64 MiB',
  async ({ place, channels, size }) => {
    const row = await measure(place, channels, size)
    rows.push(row)
    expect(row.growth).toBeLessThan(2 * row.allowed + 64 * MiB)
    // This checks the load: that many bytes did arrive.
    expect(row.sent).toBeGreaterThan(channels === 1 ? 0.8 * MiB : 5 * MiB)
  },
)

/** What a channel holds above its link: its buffer, and the batch before that which waits for room. */
const aboveLink = channelBuffer + 64 * KiB

test.each([
  { holds: 'what its peer does not acknowledge', size: 200 },
  { holds: 'what its peer does not acknowledge', size: 16_000 },
  { holds: 'what its handler does not read', size: 16_000 },
])('60 links, each $holds: no more than their windows, and nothing once they are lost', async ({ holds, size }) => {
  // Together less than `maxBufferedBytes`, which would end some.
  const count = 60
  await using server = new Server()
  const session = connect(await server.url(), { settings: { initialWindowSize: MiB } })
  session.on('error', () => {})
  await once(session, 'connect')
  session.setLocalWindowSize(count * MiB)
  try {
    const streams = await openAll(session, '/linked', count, {
      h2channel: '1',
      'h2channel-link': `new; window=${linkWindow}`,
    })
    const before = await server.order({ do: 'begin' })
    expect(before.channels).toBe(count)
    let sent = 0
    if (holds.includes('peer')) {
      // It acknowledges nothing of what it reads.
      for (const stream of streams) stream.resume()
      sent = (await server.order({ do: 'fill', size })).sent
    } else {
      const record = framed(4 + size)
      record.set(framed(size), 4)
      const records = Math.floor(linkWindow / (4 + size))
      // The prefix of a record counts as no byte of the link.
      sent = await sendAll(
        streams,
        Array.from({ length: records }, () => record.subarray(0, 8 + size)),
      )
    }
    expect(sent).toBeLessThanOrEqual(count * (linkWindow + aboveLink))
    const after = await server.order({ do: 'look' })
    expect(after.channels).toBe(count)
    expect(after.peak - before.rss).toBeLessThan(2 * count * linkWindow + 64 * MiB)
    // This checks the load.
    expect(sent).toBeGreaterThan(0.8 * count * linkWindow)
    session.destroy()
    await expect.poll(async () => (await server.order({ do: 'look' })).channels, { timeout: 10_000 }).toBe(0)
    const left = await server.order({ do: 'begin' })
    expect(left.rss - before.rss).toBeLessThan(64 * MiB)
  } finally {
    session.destroy()
  }
})

afterAll(() => {
  const inMiB = (bytes: number): string => (bytes / MiB).toFixed(1)
  const lines = rows.map(({ place, channels, size, sent, allowed, growth, left }) => {
    const cells = [place, channels, size, inMiB(sent), inMiB(allowed), inMiB(growth), left]
    return `| ${cells.join(' | ')} |`
  })
  // oxlint-disable-next-line no-console -- the table of docs/operate/limits.md
  console.log(
    [
      `Node ${process.version}, maxBufferedBytes ${inMiB(maxBufferedBytes)} MiB`,
      '| where | channels | message, bytes | sent, MiB | allowed, MiB | growth, MiB | channels left |',
      '| --- | ---: | ---: | ---: | ---: | ---: | ---: |',
      ...lines,
    ].join('\n'),
  )
})
