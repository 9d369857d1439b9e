/** Delivers messages at least once, and handles each once: with identifiers and acknowledgements. */
import type { ClientChannel, ServerChannel } from '@h2channel/channel'

import type { letters } from './routes.ts'

/** The sender: keeps each letter until the server has handled it. Store it where it survives a restart, if it must. */
export class Outbox {
  readonly #unhandled = new Map<number, string>()
  #lastId = 0

  get size(): number {
    return this.#unhandled.size
  }

  add(text: string): void {
    this.#unhandled.set(++this.#lastId, text)
  }

  /** Sends what is left over one channel. If this throws, call it again with another channel. */
  async deliver(channel: ClientChannel<typeof letters>): Promise<void> {
    const sending = async (): Promise<void> => {
      await channel.sendAll(Array.from(this.#unhandled, ([id, text]) => ({ id, text })))
      await channel.end()
    }
    const receiving = async (): Promise<void> => {
      for await (const { handled } of channel) this.#unhandled.delete(handled)
    }
    await Promise.all([sending(), receiving()])
  }
}

/** The receiver: handles each letter of a sender once, in order. `lastIds` belongs into the store of the results. */
export async function receiveLetters(
  channel: ServerChannel<typeof letters>,
  sender: string,
  lastIds: Map<string, number>,
  handle: (text: string) => Promise<void>,
): Promise<void> {
  for await (const { id, text } of channel) {
    if (id > (lastIds.get(sender) ?? 0)) {
      await handle(text)
      lastIds.set(sender, id)
    }
    await channel.send({ handled: id })
  }
}
