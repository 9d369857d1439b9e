import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect as connectSocket, createServer } from 'node:net'
import { Duplex, PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { connect as connectTls, createServer as createTlsServer } from 'node:tls'
import { describe, expect, it } from 'vitest'

import { fromDuplex, pipe, toDuplex } from '../../src/index.ts'
import type { CloseTimeouts, Conn } from '../../src/index.ts'
import { makeCertificate, startServer } from '../../src/testing.ts'
import { bytes, deferred, failure, readAll, text } from '../support/support.ts'

/** Two conns over TCP. */
async function tcp(timeouts?: CloseTimeouts): Promise<readonly [Conn, Conn]> {
  const accepted = deferred<Conn>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.resolve(fromDuplex(socket))
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connectSocket({ port, host: '127.0.0.1', allowHalfOpen: true })
  return [fromDuplex(socket, timeouts), await accepted.promise]
}

describe('fromDuplex', () => {
  it('rejects a stream that belongs to a conn already, and does not touch it', async () => {
    const stream = new PassThrough()
    const conn = fromDuplex(stream)
    expect(() => fromDuplex(stream)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    await conn.write(bytes('once'))
    expect(text(await conn.read())).toBe('once')
    conn.abort()
  })

  it('talks to a child process through its stdio', async () => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.pipe(process.stdout)'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    const conn = fromDuplex(Duplex.from({ readable: child.stdout, writable: child.stdin }))
    const exited = once(child, 'exit')
    await conn.write(bytes('hello'))
    expect(text(await conn.read())).toBe('hello')
    await conn.closeWrite()
    expect(await readAll(conn)).toBe('')
    expect(await conn.closed).toEqual({ clean: true })
    await conn.close()
    expect(await exited).toEqual([0, null])
  })

  it('closes when it is aborted at any moment while its end is about to leave', async () => {
    const turns = [
      () => Promise.resolve(),
      () => new Promise<void>((resolve) => process.nextTick(resolve)),
      () => new Promise<void>((resolve) => void setImmediate(resolve)),
    ]
    for (let moment = 0; moment < 3 ** 3; moment += 1) {
      // It may still be connecting.
      const [left, right] = await tcp()
      await left.write(bytes('on its way'))
      const ending = left.closeWrite()
      ending.catch(() => {})
      for (const place of [1, 3, 9]) await turns[Math.floor(moment / place) % 3]?.()
      left.abort()
      expect((await left.closed).clean).toBe(false)
      right.abort()
      await right.closed
    }
  })

  it('has the error that closed the stream as its cause', async () => {
    const stream = new PassThrough()
    const conn = fromDuplex(stream)
    const read = failure(conn.read(), 'CONNECTION_LOST')
    const cause = new Error('the cable')
    stream.once('error', () => stream.emit('error', new Error('a later one')))
    stream.destroy(cause)
    expect((await read).cause).toBe(cause)
  })

  it('fails at once over a closed stream', async () => {
    const stream = new PassThrough()
    stream.destroy()
    await once(stream, 'close')
    const conn = fromDuplex(stream)
    await failure(conn.read(), 'CONNECTION_LOST')
    await conn.close()
    expect((await conn.closed).clean).toBe(false)
  })

  it('sees the ends that came before it', async () => {
    const stream = new Duplex({
      allowHalfOpen: true,
      autoDestroy: false,
      read() {},
      write: (_chunk, _encoding, done) => done(),
    })
    stream.push(null)
    stream.resume()
    stream.end()
    await Promise.all([once(stream, 'end'), once(stream, 'finish')])
    const conn = fromDuplex(stream, { lingerTimeout: 1 })
    expect(await conn.read()).toBeNull()
    await conn.closeWrite()
    await conn.close()
    expect(await conn.closed).toEqual({ clean: true })
  })

  it('delivers everything accepted over TCP to a peer that reads late and never ends', async () => {
    const [left, right] = await tcp({ lingerTimeout: 1 })
    const content = Buffer.alloc(1024 * 1024, 'x')
    await left.write(content)
    await left.close()
    expect((await readAll(right)).length).toBe(content.length)
    right.abort()
  })

  it('resets TCP when it is aborted', async () => {
    const [left, right] = await tcp()
    const read = failure(right.read(), 'CONNECTION_LOST')
    left.abort()
    expect((await read).cause).toMatchObject({ code: 'ECONNRESET' })
    left.abort()
    right.abort()
    await Promise.all([left.closed, right.closed])
  })

  it('destroys a socket that is still connecting', async () => {
    const conn = fromDuplex(connectSocket({ port: 1, host: '127.0.0.1' }))
    const read = failure(conn.read(), 'ABORTED')
    conn.abort()
    await read
    expect((await conn.closed).clean).toBe(false)
  })

  it('carries TLS', async () => {
    const certificate = await makeCertificate()
    const server = createTlsServer({ ...certificate, allowHalfOpen: true }, (socket) => {
      const conn = fromDuplex(socket)
      void (async () => {
        for await (const chunk of conn) await conn.write(chunk)
        await conn.close()
      })().catch(() => {})
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    // Node's types lack `allowHalfOpen` here.
    const options = { port, host: '127.0.0.1', ca: certificate.cert, allowHalfOpen: true }
    const open = (): Conn => fromDuplex(connectTls(options))
    const conn = open()
    await conn.write(bytes('echo'))
    await conn.closeWrite()
    expect(await readAll(conn)).toBe('echo')
    await conn.close()
    const aborted = open()
    await aborted.write(bytes('echo'))
    expect(text(await aborted.read())).toBe('echo')
    aborted.abort()
    expect(await aborted.closed).toMatchObject({ clean: false, error: { code: 'ABORTED' } })
    server.close()
    await once(server, 'close')
  })
})

describe('toDuplex', () => {
  it('delivers everything that arrived before the peer stopped reading, then fails', async () => {
    const body = Buffer.alloc(256 * 1024, 7)
    await using server = await startServer(async (conn) => {
      await conn.write(body)
      await conn.close()
    })
    const conn = await server.connect('/', { lingerTimeout: 50 })
    const duplex = toDuplex(conn)
    const failed = new Promise((resolve) => duplex.once('error', resolve))
    expect(await conn.closed).toMatchObject({ clean: false, error: { code: 'RESET', rstCode: 0 } })
    let received = 0
    duplex.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    expect(await failed).toMatchObject({ code: 'RESET' })
    expect(received).toBe(body.length)
  })

  it('makes an ordinary stream: an echo through pipeline()', async () => {
    const [left, right] = pipe()
    const duplex = toDuplex(right)
    const echoing = pipeline(duplex, new PassThrough(), duplex)
    await left.write(bytes('hello'))
    expect(text(await left.read())).toBe('hello')
    await left.closeWrite()
    expect(await left.read()).toBeNull()
    await echoing
    expect(await left.closed).toEqual({ clean: true })
  })

  it('ends its half with end(), and still reads', async () => {
    const [left, right] = pipe()
    const duplex = toDuplex(right)
    duplex.end('last')
    expect(await readAll(left)).toBe('last')
    await left.write(bytes('answer'))
    await left.closeWrite()
    const chunks: unknown[] = []
    for await (const chunk of duplex) chunks.push(String(chunk))
    expect(chunks).toEqual(['answer'])
    expect(await right.closed).toEqual({ clean: true })
  })

  it.each([
    { name: 'an error', reason: new Error('enough') },
    { name: 'none', reason: undefined },
  ])('aborts the conn when it is destroyed with $name', async ({ reason }) => {
    const [left, right] = pipe()
    const duplex = toDuplex(right)
    duplex.on('error', () => {})
    const read = failure(left.read(), 'RESET')
    duplex.destroy(reason)
    await read
    expect(await right.closed).toMatchObject({ clean: false, error: { code: 'ABORTED', cause: reason } })
  })

  it('is destroyed with the error of a broken conn, whether it waits or not', async () => {
    for (const waits of [true, false]) {
      const [left, right] = pipe()
      const duplex = toDuplex(right)
      if (waits) duplex.resume()
      const failed = once(duplex, 'error')
      left.abort()
      expect(await failed).toMatchObject([{ code: 'RESET' }])
      expect(duplex.destroyed).toBe(true)
    }
  })

  it('fails a write and an end that the conn rejects', async () => {
    const [, right] = pipe()
    const duplex = toDuplex(right)
    await right.closeWrite()
    const failed = once(duplex, 'error')
    duplex.write('too late')
    expect(await failed).toMatchObject([{ code: 'CLOSED' }])
    const [, other] = pipe()
    other.abort()
    const ended = toDuplex(other)
    const broken = once(ended, 'error')
    ended.end()
    expect(await broken).toMatchObject([{ code: 'ABORTED' }])
  })
})
