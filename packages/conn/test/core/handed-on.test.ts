/**
 * A write with `handedOn`, and the half that it belongs to, always settle, and report truthfully whether the bytes
 * left.
 */
import { expect, test } from 'vitest'

import type { Http2Conn } from '../../src/index.ts'
import { connect, SessionPool } from '../../src/index.ts'
import { data, ok, Setting, setting, startRawPeer, windowUpdate } from '../support/raw-peer.ts'
import { failure } from '../support/support.ts'

const largestWindow = 2 ** 31 - 1

/** More than the system accepts for a peer that reads nothing, within windows that have room for all of it. */
const much = new Uint8Array(64 * 1024 * 1024)

interface Stalled extends AsyncDisposable {
  readonly conn: Http2Conn
  readonly sessions: SessionPool
}

/** A conn to a server that reads nothing from the response on. It ends its own half with the response, or never. */
async function openStalled(hasEnded: boolean): Promise<Stalled> {
  const peer = await startRawPeer({ settings: setting(Setting.INITIAL_WINDOW_SIZE, largestWindow) })
  const sessions = new SessionPool({ pingInterval: 200, pingTimeout: 200, closeTimeout: 200 })
  const connecting = connect(peer.origin, { sessions })
  const { link, stream } = await peer.request()
  link.socket.pause()
  link.send(windowUpdate(0, largestWindow - 65_535), ok(stream), data(stream, 'hi', hasEnded))
  return {
    conn: await connecting,
    sessions,
    async [Symbol.asyncDispose]() {
      await sessions.close()
      await peer[Symbol.asyncDispose]()
    },
  }
}

test('a connection that ends with its last bytes unsent has not handed them on, although END_STREAM follows them', async () => {
  await using stalled = await openStalled(false)
  const { conn } = stalled
  const written = conn.write(much, { handedOn: true })
  // In the same turn: Node puts END_STREAM on the last frame, and gives all of it to the session at once.
  const ended = conn.closeWrite()
  await Promise.all([failure(written, 'PEER_SILENT'), failure(ended, 'PEER_SILENT')])
  expect(await conn.closed).toMatchObject({ clean: false, error: { code: 'PEER_SILENT' } })
})

test('a stream that has ended when its last bytes lie in the connection has handed them on', async () => {
  await using stalled = await openStalled(true)
  const { conn } = stalled
  expect((await conn.read())?.length).toBe(2)
  expect(await conn.read()).toBeNull()
  let released = 0
  const written = conn.write(much, { handedOn: true, released: () => (released += 1) })
  const ended = conn.closeWrite()
  await Promise.all([written, ended])
  expect(await conn.closed).toEqual({ clean: true })
  // The socket still sends them.
  expect(released).toBe(0)
})
