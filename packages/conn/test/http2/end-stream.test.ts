/** END_STREAM leaves with the last bytes, not in a packet of its own. */
import { expect, it } from 'vitest'

import { connLimits } from '../../src/index.ts'
import { startServer } from '../../src/testing.ts'
import { connectRaw, data, Flag, FrameType, headers, post } from '../support/raw-peer.ts'
import { readAll } from '../support/support.ts'

it.each([true, false])('a server that answers as it reads sends one packet (waits for the end: %s)', async (waits) => {
  await using server = await startServer(
    async (conn) => {
      const first = await conn.read()
      if (first !== null) await conn.write(first)
      if (waits) await conn.read()
      await conn.close()
    },
    { tls: false },
  )
  const link = connectRaw(server.origin)
  await link.take(FrameType.SETTINGS)
  const packets: Buffer[] = []
  link.send(headers(1, post), data(1, 'hello', true))
  link.socket.on('data', (chunk) => packets.push(chunk))
  const last = await link.take(FrameType.DATA)
  expect(last).toMatchObject({ flags: Flag.END_STREAM, payload: Buffer.from('hello') })
  expect(packets.filter((packet) => packet.includes('hello'))).toHaveLength(1)
  link.socket.destroy()
})

it('an end behind several writes, over a window of the peer, cuts none of them off', async () => {
  const part = new Uint8Array(connLimits.streamWindow / 4).fill(97)
  await using server = await startServer(
    async (conn) => {
      const writes = Array.from({ length: 12 }, async () => conn.write(part))
      await conn.closeWrite()
      await Promise.all(writes)
    },
    { tls: false },
  )
  const conn = await server.connect('/')
  expect((await readAll(conn)).length).toBe(12 * part.length)
  await conn.close()
  expect(await conn.closed).toEqual({ clean: true })
})
