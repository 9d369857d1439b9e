/** Serves the routes of the suite in cleartext: `node dist/serve.js [--port 8080]`. */
import { createServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { parseArgs } from 'node:util'

import { createConformanceRouter } from './server.ts'

const { values } = parseArgs({ options: { port: { type: 'string', default: '8080' } } })
const server = createServer()
createConformanceRouter().attach(server)
server.listen(Number(values.port), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})
