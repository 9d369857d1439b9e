/** Compares a conn with bare `node:http2`: both send the same bytes over one stream, with the same windows. */
import { once } from 'node:events'
import type { Http2Session, Http2Stream, IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import { connect as connectHttp2, createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'

import type { Conn } from '@h2channel/conn'
import { accept, connLimits, connect, SessionPool } from '@h2channel/conn'

export type Kind = 'conn' | 'bare'

/** Which end sends: the client, the server, or both at once. */
export type Direction = 'up' | 'down' | 'both'

export interface Bulk {
  readonly kind: Kind
  readonly direction: Direction
  /** The size of each write, and the number of bytes sent in each direction. */
  readonly write: number
  readonly total: number
}

/** One end of a stream: sends `total` bytes and ends its half, and reads until the peer has ended. */
type End = (total: number, write: number) => Promise<number>

function conn(end: Conn): End {
  return async (total, write) => {
    const piece = Buffer.alloc(write, 'x')
    const sending = (async () => {
      for (let sent = 0; sent < total; sent += write) await end.write(piece)
      await end.closeWrite()
    })()
    let received = 0
    for await (const chunk of end) received += chunk.length
    await sending
    await end.closed
    return received
  }
}

function bare(end: Http2Stream): End {
  return async (total, write) => {
    const piece = Buffer.alloc(write, 'x')
    const closed = once(end, 'close')
    let received = 0
    end.on('data', (chunk: Buffer) => {
      received += chunk.length
    })
    for (let sent = 0; sent < total; sent += write) {
      if (!end.write(piece)) {
        await new Promise<void>((resolve) => {
          end.once('drain', resolve)
        })
      }
    }
    end.end()
    await closed
    return received
  }
}

/** Serves both kinds, each on its own port. The path says what to send: `/<total>/<write>`. */
export async function serveBulk(): Promise<Readonly<Record<Kind, number>>> {
  const settings = { initialWindowSize: connLimits.streamWindow }
  const listen = async (
    start: (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => Promise<End>,
  ): Promise<number> => {
    const server = createServer({ settings, maxSessionMemory: connLimits.sessionMemory })
    server.on('session', (session) => widen(session))
    server.on('stream', (stream, headers) => {
      const [, total, write] = String(headers[':path']).split('/').map(Number)
      void start(stream, headers).then((end) => end(total ?? 0, write ?? 1))
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }
  return {
    conn: await listen(async (stream, headers) => conn(await accept(stream, headers))),
    bare: await listen((stream) => {
      stream.respond()
      return Promise.resolve(bare(stream))
    }),
  }
}

/** Runs one load on its own session. Returns the milliseconds from the first byte to the end at both sides. */
export async function runBulk(port: number, { kind, direction, write, total }: Bulk): Promise<number> {
  const path = `/${direction === 'up' ? 0 : total}/${write}`
  const origin = `http://127.0.0.1:${port}`
  const upwards = direction === 'down' ? 0 : total
  const downwards = direction === 'up' ? 0 : total
  const time = async (end: End): Promise<number> => {
    const begin = performance.now()
    const received = await end(upwards, write)
    if (received !== downwards) throw new Error(`${kind}: ${received} bytes arrived, not ${downwards}`)
    return performance.now() - begin
  }
  if (kind === 'conn') {
    const sessions = new SessionPool()
    const elapsed = await time(conn(await connect(origin + path, { sessions })))
    await sessions.close()
    return elapsed
  }
  const session = connectHttp2(origin, {
    settings: { enablePush: false, initialWindowSize: connLimits.streamWindow },
    maxSessionMemory: connLimits.sessionMemory,
  })
  await once(session, 'remoteSettings')
  widen(session)
  const stream = session.request({ ':method': 'POST', ':path': path }, { endStream: false })
  await once(stream, 'response')
  const elapsed = await time(bare(stream))
  session.close()
  await once(session, 'close')
  return elapsed
}

function widen(session: Http2Session): void {
  session.setLocalWindowSize(connLimits.connectionWindow)
}
