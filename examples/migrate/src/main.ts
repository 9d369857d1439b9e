/** Runs one of the servers, `main.ts ws`, `socket-io` or `connect`, with a certificate that is made when it starts. */
import { makeCertificate } from '@h2channel/conn/testing'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'

import * as connect from './connect.ts'
import * as socketIo from './socket-io.ts'
import * as ws from './ws.ts'

const servers = { ws, 'socket-io': socketIo, connect }

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { port: { type: 'string', default: '8443' } },
})
const [name = ''] = positionals
const chosen = Object.entries(servers).find(([key]) => key === name)?.[1]
if (chosen === undefined) throw new Error(`one of ${Object.keys(servers).join(', ')}, not "${name}"`)

const server = chosen.serveBoth(await makeCertificate())
server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`listening on https://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
