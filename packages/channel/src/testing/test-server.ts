import type { ClientOptions } from '../client/client-options.ts'
import type { Client } from '../client/create-client.ts'
import type { Router } from '../server/router.ts'

/** Options of `startServer`. */
export interface StartServerOptions {
  /** Whether to use TLS, with a certificate that `selfsigned` creates. Default: false. */
  readonly tls?: boolean | undefined
}

/** A server with a router, on a free port of 127.0.0.1. Disposing of it closes it and all its connections. */
export interface RunningServer extends AsyncDisposable {
  /** Such as `http://127.0.0.1:49152`. */
  readonly origin: string
  /** TLS options of a client that trusts the server. Undefined for cleartext. */
  readonly tls: ClientOptions['tls']
  /** Creates a client of the server, with its own connections. */
  client(options?: ClientOptions): Client
}

/**
 * Starts a server for a router, as in production: for tests of what happens before a handler runs, such as routes,
 * `authorize`, limits and draining. Node only.
 *
 * @example
 * ```ts
 * await using server = await startServer(router)
 * const client = server.client({ headers: { authorization } })
 * await using channel = await client.open(quotes, { params: { market: 'xetra' } })
 * ```
 */
export async function startServer<Auth>(
  router: Router<Auth>,
  options: StartServerOptions = {},
): Promise<RunningServer> {
  // A dynamic import, because the rest of `./testing` runs in browsers too.
  const { run } = await import('./run-server.ts')
  return run(router, options)
}
