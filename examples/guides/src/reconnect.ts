/** A subscription that survives lost connections, restarts and deploys. */
import { setTimeout as sleep } from 'node:timers/promises'

import type { ChannelErrorCode, ClientChannel } from '@h2channel/channel'
import { ChannelError } from '@h2channel/channel'
import type { Client } from '@h2channel/channel/client'
import { createClient } from '@h2channel/channel/client'

import type { Cursor, Update } from './feed.ts'
import { feed } from './feed.ts'

// #region client
export function createFeedClient(origins: string[], token: () => Promise<string>): Client {
  return createClient(origins, {
    headers: async () => ({ authorization: `Bearer ${await token()}` }), // called for each attempt
    onEvent(event) {
      if (event.type === 'retry' || event.type === 'fail') console.warn(event.type, event.origin, event.error)
    },
  })
}
// #endregion

// #region codes
/** Errors that another channel may not have. All others need another program, or another user. */
const passing: ReadonlySet<ChannelErrorCode> = new Set([
  'CONN_LOST',
  'CONNECT_FAILED',
  'GOING_AWAY',
  'PEER_ABORTED',
  'PEER_SILENT',
  'PEER_STOPPED',
  'PEER_TOO_SLOW',
  'RATE_LIMITED',
  'TRUNCATED_FRAME',
])

function mayReopen(error: unknown, wasOpen: boolean): boolean {
  if (!(error instanceof ChannelError)) return false
  if (error.code === 'INTERNAL') return error.side === 'remote'
  if (error.code === 'UNAUTHENTICATED') return wasOpen // The credentials expired; `headers` returns new ones.
  return error.retryable || passing.has(error.code)
}
// #endregion

// #region follow
const maxDelay = 10_000

export async function* follow(
  client: Client,
  topic: string,
  signal: AbortSignal,
  after?: Cursor,
): AsyncGenerator<Update, void> {
  let failures = 0
  while (!signal.aborted) {
    let channel: ClientChannel<typeof feed> | undefined
    try {
      channel = await client.open(feed, { params: { topic }, signal })
      channel.draining.addEventListener('abort', () => void channel?.end().catch(() => {}))
      await channel.send({ after })
      for (let update; (update = await channel.receive({ signal })) !== undefined;) {
        after = { epoch: update.epoch, seq: update.seq }
        yield update
      }
    } catch (error) {
      if (signal.aborted) return
      if (!mayReopen(error, channel !== undefined)) throw error
    } finally {
      await channel?.close().catch(() => {}) // also when the caller leaves its loop
    }
    // Not at each update: a server that sends one and then fails would be asked again at once, without end.
    if ((channel?.stats.age ?? 0) > maxDelay) failures = 0
    // A random time, so that the clients of a lost server do not all return at once.
    await sleep(Math.random() * Math.min(maxDelay, 200 * 2 ** failures), undefined, { signal }).catch(() => {})
    failures += 1
  }
}
// #endregion
