/** Carries a feed to browsers, as server-sent events. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'

import type { Client } from '@h2channel/channel/client'

import type { Cursor } from './feed.ts'
import { feed } from './feed.ts'

// #region events
export async function sendFeed(
  client: Client,
  topic: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const channel = await client.open(feed, { params: { topic } })
  response.once('close', () => void channel.close().catch(() => {}))
  try {
    // An EventSource that connects again names the last event that it has seen.
    await channel.send({ after: cursorOf(request.headers['last-event-id']) })
    response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    response.flushHeaders()
    const events = async function* (): AsyncGenerator<string> {
      for await (const { epoch, seq, text } of channel) yield `id: ${epoch}:${seq}\ndata: ${JSON.stringify(text)}\n\n`
    }
    await pipeline(events, response) // waits while the browser does not read
  } finally {
    await channel.close().catch(() => {})
  }
}

function cursorOf(id: unknown): Cursor | undefined {
  const [, epoch, seq] = /^([\w-]+):(\d{1,15})$/.exec(String(id)) ?? []
  return epoch === undefined ? undefined : { epoch, seq: Number(seq) }
}
// #endregion
