/** A server that ends many streams at once does not stand still for it. */
import { once } from 'node:events'
import type { ServerHttp2Stream } from 'node:http2'
import { connect, createServer } from 'node:http2'
import { expect, test } from 'vitest'

import type { Http2Conn } from '../../src/index.ts'
import { accept } from '../../src/index.ts'
import { listen } from '../../src/testing.ts'

test('a server that aborts a thousand conns in one turn resets a hundred streams in each', async () => {
  const count = 1_000
  const streams: ServerHttp2Stream[] = []
  const conns: Http2Conn[] = []
  const server = createServer({ settings: { maxConcurrentStreams: count } })
  server.on('stream', (stream, headers) => {
    streams.push(stream)
    void accept(stream, headers).then((conn) => conns.push(conn))
  })
  const at = await listen(server, undefined)
  const session = connect(at.origin)
  session.on('error', () => {})
  await once(session, 'remoteSettings')
  const closed = Array.from({ length: count }, () => {
    const stream = session.request({ ':method': 'POST', ':path': '/' }, { endStream: false })
    stream.on('error', () => {})
    stream.resume()
    return new Promise<number>((resolve) => stream.on('close', () => resolve(stream.rstCode ?? 0)))
  })
  while (conns.length < count) await new Promise((resolve) => setImmediate(resolve))
  for (const conn of conns) conn.abort()
  const steps: number[] = []
  let reset = 0
  while (reset < count) {
    await new Promise((resolve) => setImmediate(resolve))
    const now = streams.filter(({ destroyed }) => destroyed).length
    steps.push(now - reset)
    reset = now
  }
  expect(Math.max(...steps)).toBeLessThanOrEqual(100)
  expect(new Set(await Promise.all(closed))).toEqual(new Set([8]))
  session.destroy()
  await at.close()
})
