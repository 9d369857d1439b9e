/** One port: the protocols of Connect, gRPC and gRPC-Web, and channels, all as streams of HTTP/2. */
import { connectNodeAdapter } from '@connectrpc/connect-node'
import type { Http2SecureServer, SecureServerOptions } from 'node:http2'
import { createSecureServer } from 'node:http2'

import { quotesFor } from './quotes.ts'
import { Quotes } from './quotes_pb.ts'
import { quoteRouter } from './router.ts'

// #region server
export function serveBoth(tls: SecureServerOptions): Http2SecureServer {
  const adapter = connectNodeAdapter({
    routes: (connect) =>
      connect.service(Quotes, {
        async *watch(questions) {
          for await (const question of questions) yield* quotesFor(question)
        },
      }),
  })
  const server = createSecureServer({ ...tls, allowHTTP1: true }, adapter)

  quoteRouter().attach(server)
  return server
}
// #endregion
