import type { Http2SecureServer, Http2Server } from 'node:http2'
import { createSecureServer, createServer } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'

import { accept } from '../http2/accept.ts'
import type { ConnectOptions } from '../http2/connect.ts'
import { connect } from '../http2/connect.ts'
import { connLimits } from '../limits.ts'
import type { Http2Conn } from '../http2/http2-conn.ts'
import { SessionPool } from '../http2/session-pool.ts'

/** A certificate and its key, in PEM. */
export interface Certificate {
  readonly key: string
  readonly cert: string
}

/**
 * Makes a certificate for `localhost`, 127.0.0.1 and ::1, valid for a day. It is its own authority: pass `cert` as
 * `ca`. It needs `selfsigned`, an optional peer dependency, and rejects if that is not installed.
 */
export async function makeCertificate(): Promise<Certificate> {
  // Imported here, since the rest of this file works without it.
  const { generate } = await import('selfsigned')
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notAfterDate: new Date(Date.now() + 24 * 60 * 60 * 1000),
    extensions: [
      { name: 'basicConstraints', cA: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 2, value: 'localhost' },
          { type: 7, ip: '127.0.0.1' },
          { type: 7, ip: '::1' },
        ],
      },
    ],
  })
  return { key, cert }
}

/** The options of {@link startServer}. */
export interface TestServerOptions {
  /** Whether the server speaks TLS, or cleartext HTTP/2. Default: true. */
  readonly tls?: boolean | undefined
}

/** A server on a free port of 127.0.0.1, and a client that trusts it. */
export interface TestServer extends AsyncDisposable {
  /** For example `https://127.0.0.1:49152`. */
  readonly origin: string
  /** The TLS options of a client that trusts the server, undefined for cleartext. */
  readonly tls: SecureContextOptions | undefined
  readonly server: Http2Server | Http2SecureServer
  /** The connections that `connect` uses. */
  readonly sessions: SessionPool
  /** Opens a conn to the server. `path` defaults to `/`. */
  connect(path?: string, options?: ConnectOptions): Promise<Http2Conn>
  /** Closes the server, its connections and the connections of the client. */
  close(): Promise<void>
}

/**
 * Starts a server that accepts every request and calls `handler` with its conn. The conn of a handler that throws is
 * aborted.
 *
 * @example
 * ```ts
 * await using server = await startServer(async (conn) => {
 *   for await (const chunk of conn) await conn.write(chunk)
 *   await conn.close()
 * })
 * await using conn = await server.connect('/echo')
 * ```
 */
export async function startServer(
  handler: (conn: Http2Conn) => void | Promise<void>,
  options: TestServerOptions = {},
): Promise<TestServer> {
  const certificate = options.tls === false ? undefined : await makeCertificate()
  const memory = { maxSessionMemory: connLimits.sessionMemory }
  const server = certificate === undefined ? createServer(memory) : createSecureServer({ ...certificate, ...memory })
  server.on('stream', (stream, headers) => {
    const serve = async (): Promise<void> => {
      const conn = await accept(stream, headers)
      try {
        await handler(conn)
      } catch (error) {
        conn.abort(error)
      }
    }
    // The client left before it was accepted, so there is no conn.
    serve().catch(() => stream.destroy())
  })
  return listen(server, certificate)
}

/** Has your own `server` listen on a free port of 127.0.0.1, with the client that `startServer` gives. */
export async function listen(
  server: Http2Server | Http2SecureServer,
  certificate: Certificate | undefined,
): Promise<TestServer> {
  const open = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  const { port } = server.address() as AddressInfo
  const origin = `${certificate === undefined ? 'http' : 'https'}://127.0.0.1:${port}`
  const tls = certificate === undefined ? undefined : { ca: certificate.cert }
  const sessions = new SessionPool({ closeTimeout: 100 })
  const close = async (): Promise<void> => {
    const closed = new Promise((resolve) => server.close(resolve))
    await sessions.close()
    for (const socket of open) socket.destroy()
    await closed
  }
  return {
    origin,
    tls,
    server,
    sessions,
    connect: (path = '/', connectOptions = {}) => connect(new URL(path, origin), { tls, sessions, ...connectOptions }),
    close,
    [Symbol.asyncDispose]: close,
  }
}
