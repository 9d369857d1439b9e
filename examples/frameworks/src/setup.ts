/** The shared parts of these servers: the port, the certificate, and the line that they print when they listen. */
import { makeCertificate } from '@h2channel/conn/testing'
import type { AddressInfo, Server } from 'node:net'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8443' } } })

export const port = Number(values.port)

/** A new certificate, which clients must be configured to accept. */
export const certificate = await makeCertificate()

export function announce(server: Server): void {
  console.log(`listening on https://localhost:${(server.address() as AddressInfo).port}`)
}
