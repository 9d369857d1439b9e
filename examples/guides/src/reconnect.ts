/** A subscription that survives lost connections, restarts and deploys. */
import type { Client } from '@h2channel/channel/client'
import { createClient } from '@h2channel/channel/client'

import type { Cursor, Update } from './feed.ts'
import { feed } from './feed.ts'

// #region client
export function createFeedClient(origins: string[], token: () => Promise<string>): Client {
  return createClient(origins, {
    retry: { maxAttempts: Infinity, maxDelay: 10_000 },
    headers: async () => ({ authorization: `Bearer ${await token()}` }), // called for each attempt
    onEvent(event) {
      if (event.type === 'retry' || event.type === 'fail') console.warn(event.type, event.origin, event.error)
    },
  })
}
// #endregion

// #region follow
/** Gives each update of the topic to `handle`, in order, until the signal aborts. */
export async function follow(
  client: Client,
  topic: string,
  handle: (update: Update) => void | Promise<void>,
  { signal, after }: { signal?: AbortSignal; after?: Cursor } = {},
): Promise<void> {
  let last = after
  await client.keepOpen(
    feed,
    async (channel) => {
      channel.draining.addEventListener('abort', () => void channel.end().catch(() => {}))
      await channel.send({ after: last })
      for await (const update of channel) {
        await handle(update)
        last = { epoch: update.epoch, seq: update.seq }
      }
    },
    { params: { topic }, signal },
  )
}
// #endregion
