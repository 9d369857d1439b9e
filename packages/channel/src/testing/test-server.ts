import type { Client, ClientOptions } from '../client/create-client.ts'
import type { Router } from '../server/router.ts'

export interface StartServerOptions {
  /** Whether to speak TLS, with a certificate made on the spot by `selfsigned`: no unless said otherwise. */
  readonly tls?: boolean | undefined
}

/** A server with a router, on a free port of 127.0.0.1. Disposing of it ends it, with all connections. */
export interface RunningServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:49152`. */
  readonly origin: string
  /** TLS options of a client that trusts it. Undefined for cleartext. */
  readonly tls: ClientOptions['tls']
  /** A client of it, with connections of its own. */
  client(options?: ClientOptions): Client
}

/**
 * Serves a router as in production, for tests of all that lies before a handler: routes, `authorize`, limits, draining. Only in
 * Node.
 *
 * @example
 * ```ts
 * await using server = await startServer(router)
 * await using channel = await server.client({ headers: { authorization } }).open(quotes, { params: { market: 'xetra' } })
 * ```
 */
export async function startServer<Auth>(
  router: Router<Auth>,
  options: StartServerOptions = {},
): Promise<RunningServer> {
  // Imported when it is called: the rest of `./testing` runs in browsers too.
  const { run } = await import('./run-server.ts')
  return run(router, options)
}
