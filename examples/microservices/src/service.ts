/** The shared parts of all services: mutual TLS, /healthz, /metrics, and a stop without loss. */
import type { ChannelRequest, Router } from '@h2channel/channel/server'
import { Refusal } from '@h2channel/channel/server'
import { instrument } from '@h2channel/channel/otel'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2'
import { createSecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'

/** A service's certificate, and that of the authority that it trusts. */
export interface Credentials {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

/** Reads the files that the demo has written: `name.key`, `name.cert`, and `ca` with that of the authority. */
export function credentialsOf(name: string, folder: string): Credentials {
  const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
  return { key: read(`${name}.key`), cert: read(`${name}.cert`), ca: read('ca') }
}

/** For routers whose clients must be other services. */
export function onlyServices({ session }: ChannelRequest): void {
  const socket = session?.socket
  if (!(socket instanceof TLSSocket) || !socket.authorized) throw new Refusal(403, 'a certificate is needed')
}

export interface ServiceOptions {
  readonly port: number
  readonly credentials: Credentials
  /** Ends the work of the service outside its channels. */
  readonly stop?: () => Promise<void>
}

/** Serves `router` until SIGTERM. Sends the address to the process that started this one, or prints it. */
export function startService(router: Router, { port, credentials, stop }: ServiceOptions): void {
  const exporter = new PrometheusExporter({ preventServerStart: true })
  instrument({ meterProvider: new MeterProvider({ readers: [exporter] }) })

  let isEnding = false
  const answer = (
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
  ): void => {
    if (request.url === '/metrics') {
      // It only sets headers and ends the response, which also works for HTTP/2.
      exporter.getMetricsRequestHandler(request as IncomingMessage, response as ServerResponse)
      return
    }
    // A load balancer sends nothing more to a service that is about to stop.
    const healthy = isEnding ? 503 : 200
    response.statusCode = request.url === '/healthz' ? healthy : 404
    response.end()
  }
  // Probes and scrapers have no certificate: only channels require one.
  const tls = { ...credentials, requestCert: true, rejectUnauthorized: false, allowHTTP1: true }
  const server = createSecureServer(tls, answer)
  router.attach(server)
  server.listen(port, '127.0.0.1', () => {
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
    if (process.send === undefined) console.log(`listening on ${url}`)
    else process.send(url)
  })

  const end = async (): Promise<void> => {
    isEnding = true
    await router.drain()
    await stop?.()
    server.close()
    // This process has nothing more to send to its parent.
    if (process.connected) process.disconnect()
  }
  process.once('SIGTERM', () => void end())
}
