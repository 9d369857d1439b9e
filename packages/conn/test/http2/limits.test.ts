import { expect, test } from 'vitest'

import { connect, pipe, SessionPool } from '../../src/index.ts'
import { startServer } from '../../src/testing.ts'

const impossible = [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]

test.each(impossible)('connect: rejects a timeout of %s before it sends anything', async (timeout) => {
  const refused = { code: 'INVALID_ARGUMENT', side: 'local' }
  await expect(connect('http://127.0.0.1:9', { connectTimeout: timeout })).rejects.toMatchObject(refused)
  await expect(connect('http://127.0.0.1:9', { closeTimeout: timeout })).rejects.toMatchObject(refused)
  await expect(connect('http://127.0.0.1:9', { lingerTimeout: timeout })).rejects.toMatchObject(refused)
  expect(() => pipe({ closeTimeout: timeout })).toThrow(expect.objectContaining(refused))
  expect(() => new SessionPool({ idleTimeout: timeout })).toThrow(expect.objectContaining(refused))
})

test.each(['a\r\nb: c', 'a\nb', 'a\0b'])(
  'connect: refuses the header value %j and keeps the session',
  async (value) => {
    await using server = await startServer((conn) => conn.close(), { tls: false })
    await using first = await server.connect('/first')
    const refused = server.connect('/second', { headers: { 'x-note': value } })
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    await using third = await server.connect('/third', { headers: { 'x-note': ['a', 'b'] } })
    expect(first.status).toBe(200)
    expect(third.status).toBe(200)
    expect(server.sessions.size).toBe(1)
  },
)
