/** Carries the messages of browsers to channels of a service, and back. */
// #region bridge
import { on } from 'node:events'
import type { Server } from 'node:http'

import type { ClientChannel } from '@h2channel/channel'
import { ChannelError, defineRoute } from '@h2channel/channel'
import type { Client } from '@h2channel/channel/client'
import { json } from '@h2channel/codecs'
import type { WebSocket } from 'ws'
import { WebSocketServer } from 'ws'

/** Any JSON: the service checks what it receives. */
const routeTo = (path: string) => defineRoute(path, { client: json(), server: json() })

export function bridge(server: Server, path: string, origins: ReadonlySet<string>, client: Client): WebSocketServer {
  const verifyClient = ({ origin }: { origin?: string }): boolean => origins.has(origin ?? '')
  const sockets = new WebSocketServer({ server, path, maxPayload: 64 * 1024, verifyClient })
  return sockets.on('connection', (socket, { headers: { cookie } }) => {
    const open = async () => client.open(routeTo(path), { headers: cookie === undefined ? {} : { cookie } })
    socket.on('error', () => {}) // `close` follows.
    carry(socket, open).catch((error: unknown) => {
      if (error instanceof SyntaxError) socket.close(1007, 'not JSON')
      else socket.close(1011, error instanceof ChannelError ? error.code : 'INTERNAL')
    })
  })
}

async function carry(socket: WebSocket, open: () => Promise<ClientChannel<ReturnType<typeof routeTo>>>): Promise<void> {
  // Begins before there is a channel. Beyond 16 messages it pauses the socket, so that the browser has to wait.
  const messages = on(socket, 'message', { close: ['close'], highWaterMark: 16, lowWaterMark: 1 })
  const channel = await open()
  let isAlive = true
  socket.on('pong', () => (isAlive = true))
  const pings = setInterval(() => {
    if (!isAlive) socket.terminate()
    isAlive = false
    socket.ping()
  }, 25_000)
  const toService = async (): Promise<void> => {
    for await (const [data] of messages) await channel.send(JSON.parse(String(data)))
  }
  const toBrowser = async (): Promise<void> => {
    for await (const message of channel) {
      const text = JSON.stringify(message)
      await new Promise<void>((resolve, reject) => socket.send(text, (error) => (error ? reject(error) : resolve())))
    }
    socket.close(1000)
  }
  try {
    await Promise.race([toService(), toBrowser()])
  } finally {
    clearInterval(pings)
    await channel.close().catch(() => {})
  }
}
// #endregion
