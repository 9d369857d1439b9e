/** `fetch` of Node, which is undici, over HTTP/1.1, and a plain `node:http` server: one request for each question. */
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:http'

import type { Message } from '../message.ts'
import { listen } from './listen.ts'
import type { Peer } from './peer.ts'

const type = { 'content-type': 'application/json' }

export const fetched: Peer = {
  serve() {
    const server = createServer((request, response) => {
      void textOf(request).then((text) => {
        const message = JSON.parse(text) as Message
        // With its length, as a response that is made at once.
        response.setHeader('content-type', 'application/json').end(JSON.stringify(message))
      })
    })
    // Connections outlive the pauses in which other peers are measured.
    server.keepAliveTimeout = 600_000
    return listen(server)
  },
  async connect(port) {
    const address = `http://127.0.0.1:${port}/ask`
    return {
      async call(message) {
        const response = await fetch(address, { method: 'POST', headers: type, body: JSON.stringify(message) })
        return (await response.json()) as Message
      },
    }
  },
}

function textOf(request: IncomingMessage): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (part: string) => {
      text += part
    })
    request.on('end', () => resolve(text))
    request.on('error', reject)
  })
}
