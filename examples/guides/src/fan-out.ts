/** Sends each update of a topic to all subscribers, and replays the last ones to a subscriber that comes late. */
import { randomUUID } from 'node:crypto'

import type { ServerChannel } from '@h2channel/channel'
import { ChannelError } from '@h2channel/channel'
import type { Router } from '@h2channel/channel/server'
import { ByteWriter } from '@h2channel/codecs'

import type { Cursor } from './feed.ts'
import { encodedFeed, feed } from './feed.ts'

type Subscriber = ServerChannel<typeof encodedFeed>

// #region topic
export class Topic {
  readonly epoch = randomUUID()
  readonly #subscribers = new Set<Subscriber>()
  readonly #history = new Map<number, Uint8Array>()
  readonly #maxHistory: number
  #last = 0

  constructor(maxHistory = 10_000) {
    this.#maxHistory = maxHistory
  }

  publish(text: string): void {
    const seq = (this.#last += 1)
    const out = new ByteWriter()
    feed.server.encode({ epoch: this.epoch, seq, text }, out)
    const update = out.written().slice() // no larger than it is, since the history keeps it
    this.#history.set(seq, update)
    this.#history.delete(seq - this.#maxHistory)
    for (const subscriber of this.#subscribers) {
      // Not awaited: a slow subscriber must not delay the others.
      subscriber.send(update).catch((error: unknown) => {
        // Any other error has ended the channel, and its handler gets it too.
        if (error instanceof ChannelError && error.code === 'SEND_BUFFER_FULL') subscriber.abort(error)
      })
    }
  }

  async serve(subscriber: Subscriber, after?: Cursor): Promise<void> {
    let next = after?.epoch === this.epoch ? after.seq + 1 : 1
    while (next <= this.#last) {
      const update = this.#history.get(next)
      next += 1
      if (update !== undefined) await subscriber.send(update)
    }
    // No update can be published between the last comparison and this line: nothing waits in between.
    this.#subscribers.add(subscriber)
    try {
      await subscriber.receive({ signal: subscriber.draining }) // until the client ends, or the channel drains
    } finally {
      this.#subscribers.delete(subscriber)
    }
  }
}
// #endregion

// #region handler
/** At most this much waits for one subscriber: 256 KiB, and 64 updates behind them. */
const limits = { maxBufferedBytes: 256 * 1024, maxWaitingSends: 64 }

export function serveFeeds(router: Router, topics: ReadonlyMap<string, Topic>): void {
  router.handle(
    encodedFeed,
    async (channel, { params }) => {
      const subscribe = await channel.receive()
      if (subscribe !== undefined) await topics.get(params.topic)?.serve(channel, subscribe.after)
    },
    { limits },
  )
}
// #endregion
