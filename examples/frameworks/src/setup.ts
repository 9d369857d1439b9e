/** What the servers of this example share: the port, the certificate, and what they say when they listen. */
import { makeCertificate } from '@h2channel/conn/testing'
import type { AddressInfo, Server } from 'node:net'
import { parseArgs } from 'node:util'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8443' } } })

export const port = Number(values.port)

/** Made on the spot: clients have to be told to take it. */
export const certificate = await makeCertificate()

export function announce(server: Server): void {
  console.log(`listening on https://localhost:${(server.address() as AddressInfo).port}`)
}
