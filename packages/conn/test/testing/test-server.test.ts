import { createServer as createSocketServer } from 'node:net'
import { once } from 'node:events'
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { connect as connectSocket } from 'node:net'
import { createSecureContext } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { describe, expect, it } from 'vitest'

import type { Http2Conn } from '../../src/index.ts'
import { listen, makeCertificate, startServer } from '../../src/testing.ts'
import { goaway, reset } from '../support/raw-peer.ts'
import { bytes, deferred, failure, readAll, text } from '../support/support.ts'

async function echo(conn: Http2Conn): Promise<void> {
  for await (const chunk of conn) await conn.write(chunk)
  await conn.close()
}

describe('makeCertificate', () => {
  it('makes a certificate for this machine, and its key', async () => {
    const { key, cert } = await makeCertificate()
    const parsed = new X509Certificate(cert)
    expect([parsed.checkHost('localhost'), parsed.checkIP('127.0.0.1'), parsed.checkIP('::1')]).toEqual([
      'localhost',
      '127.0.0.1',
      '::1',
    ])
    expect(parsed.verify(parsed.publicKey)).toBe(true)
    expect(() => createSecureContext({ key, cert })).not.toThrow()
  })
})

describe('startServer', () => {
  it.each([
    { tls: undefined, protocol: 'https:' },
    { tls: true, protocol: 'https:' },
    { tls: false, protocol: 'http:' },
  ])('serves every conn with the handler (tls: $tls)', async ({ tls, protocol }) => {
    await using server = await startServer(echo, { tls })
    expect(new URL(server.origin).protocol).toBe(protocol)
    expect(server.tls === undefined).toBe(protocol === 'http:')
    const conn = await server.connect('/echo?x=1')
    expect(conn.path).toBe('/echo?x=1')
    await conn.write(bytes('hello'))
    await conn.closeWrite()
    expect(await readAll(conn)).toBe('hello')
    await conn.close()
  })

  it('aborts the conn of a handler that throws', async () => {
    const accepted = deferred<Http2Conn>()
    const reason = new Error('in the handler')
    await using server = await startServer(async (conn) => {
      accepted.resolve(conn)
      await conn.read()
      throw reason
    })
    const conn = await server.connect()
    await conn.write(bytes('go'))
    expect((await failure(conn.read(), 'RESET')).rstCode).toBe(8)
    expect(await (await accepted.promise).closed).toMatchObject({ error: { code: 'ABORTED', cause: reason } })
  })

  it('survives a client that left before it was accepted', async () => {
    const server = await startServer(echo, { tls: false })
    const { port } = server.server.address() as AddressInfo
    const socket = connectSocket(port, '127.0.0.1')
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
    // :method POST, :scheme http, :path /, and the reset in the same packet.
    const headers = Buffer.from([0, 0, 3, 1, 4, 0, 0, 0, 1, 0x83, 0x86, 0x84])
    socket.write(Buffer.concat([preface, settings, headers, reset(1, 8), goaway(0, 0)]))
    socket.resume()
    await once(socket, 'close')
    const conn = await server.connect()
    await conn.write(bytes('still here'))
    expect(text(await conn.read())).toBe('still here')
    await server.close()
  })

  it('closes its conns, and connections that never sent a byte', async () => {
    const server = await startServer(echo)
    const conn = await server.connect()
    const { port } = server.server.address() as AddressInfo
    const silent = connectSocket(port, '127.0.0.1')
    silent.on('error', () => {})
    await once(silent, 'connect')
    const ended = once(silent, 'close')
    await server.close()
    await ended
    expect((await conn.closed).clean).toBe(false)
    await server.close()
    expect(server.server.listening).toBe(false)
  })
})

describe('listen', () => {
  it('fails when it cannot listen', async () => {
    const taken = createSocketServer()
    taken.listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const http2 = createServer()
    const { port } = taken.address() as AddressInfo
    const listenAt = http2.listen.bind(http2)
    http2.listen = () => listenAt(port, '127.0.0.1')
    await expect(listen(http2, undefined)).rejects.toMatchObject({ code: 'EADDRINUSE' })
    taken.close()
    await once(taken, 'close')
  })
})
