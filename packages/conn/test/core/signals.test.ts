/**
 * `signal: null` means no signal, as for `fetch`. Anything else that is not a signal is rejected before the call has
 * any effect.
 */
import { createServer } from 'node:http2'
import { describe, expect, test } from 'vitest'

import { accept, connect, pipe } from '../../src/index.ts'
import { listen } from '../../src/testing.ts'
import { isAbortSignal } from '../../src/waits/abort-listeners.ts'
import { bytes, failure, text } from '../support/support.ts'

/** Values that a program without types may pass. */
const others: readonly (readonly [string, AbortSignal])[] = [
  ['an object', {}],
  ['a controller', new AbortController()],
  ['a number', 5_000],
  ['a text', 'signal'],
  ['false', false],
  ['an event target', new EventTarget()],
  ['what only says that it has aborted', { aborted: true }],
].map(([name, value]) => [name as string, value as AbortSignal])

test('isAbortSignal', () => {
  expect(isAbortSignal(new AbortController().signal)).toBe(true)
  expect(isAbortSignal(AbortSignal.abort())).toBe(true)
  expect(isAbortSignal(null)).toBe(false)
  expect(isAbortSignal(undefined)).toBe(false)
  for (const [, value] of others) expect(isAbortSignal(value)).toBe(false)
})

test('null: read and write wait as without a signal', async () => {
  const [left, right] = pipe({ highWaterMark: 4 })
  const read = right.read({ signal: null })
  await left.write(bytes('full'), { signal: null })
  expect(text(await read)).toBe('full')
  await left.write(bytes('full'))
  const waiting = left.write(bytes('more'), { signal: null })
  expect(text(await right.read())).toBe('full')
  await waiting
  expect(text(await right.read())).toBe('more')
  left.abort()
})

test('null: connect connects', async () => {
  await using server = await echoServer()
  const conn = await connect(server.origin, { signal: null, sessions: server.sessions })
  await conn.write(bytes('a'))
  expect(text(await conn.read())).toBe('a')
  await conn.close()
})

describe.each(others)('%s', (_, signal) => {
  test('read is rejected, and consumes no chunk', async () => {
    const [left, right] = pipe()
    expect(await failure(left.read({ signal }), 'INVALID_ARGUMENT')).toMatchObject({ side: 'local', fatal: false })
    await right.write(bytes('a'))
    expect(text(await left.read())).toBe('a')
    left.abort()
  })

  test('write is rejected, and writes nothing', async () => {
    const [left, right] = pipe({ highWaterMark: 4 })
    await failure(left.write(bytes('not'), { signal }), 'INVALID_ARGUMENT')
    await left.write(bytes('full'))
    const waiting = left.write(bytes('more'))
    await failure(left.write(bytes('nor'), { signal }), 'INVALID_ARGUMENT')
    expect(text(await right.read())).toBe('full')
    await waiting
    expect(text(await right.read())).toBe('more')
    await left.closeWrite()
    expect(await right.read()).toBeNull()
    left.abort()
  })

  test('connect is rejected, and makes no connection', async () => {
    await using server = await echoServer()
    await failure(connect(server.origin, { signal, sessions: server.sessions }), 'INVALID_ARGUMENT')
    expect(server.sessions.size).toBe(0)
  })
})

function echoServer() {
  const server = createServer()
  server.on('stream', (stream, headers) => {
    void (async () => {
      const conn = await accept(stream, headers)
      for await (const chunk of conn) await conn.write(chunk)
      await conn.close()
    })()
  })
  return listen(server, undefined)
}
