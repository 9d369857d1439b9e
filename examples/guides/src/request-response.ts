/** Requests and replies over one channel: many at a time, answered in any order. */
import type { Channel } from '@h2channel/channel'
import { defineRoute } from '@h2channel/channel'
import { createClient } from '@h2channel/channel/client'
import { json } from '@h2channel/codecs'
import { z } from 'zod'

// #region route
const Id = z.int().nonnegative()

export const prices = defineRoute('/prices', {
  client: json(
    z.discriminatedUnion('type', [
      z.object({ type: z.literal('call'), id: Id, body: z.object({ symbol: z.string() }) }),
      z.object({ type: z.literal('cancel'), id: Id }),
    ]),
  ),
  server: json(
    z.discriminatedUnion('type', [
      z.object({ type: z.literal('result'), id: Id, body: z.object({ price: z.number() }) }),
      z.object({ type: z.literal('error'), id: Id, code: z.string(), message: z.string() }),
    ]),
  ),
})
// #endregion

type FromClient<Q> = { type: 'call'; id: number; body: Q } | { type: 'cancel'; id: number }
type FromServer<A> =
  { type: 'result'; id: number; body: A } | { type: 'error'; id: number; code: string; message: string }

/** The error of one call. The channel and the other calls are not affected. */
export class CallError extends Error {
  override readonly name = 'CallError'
  readonly code: string

  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

export class Calls<Q, A> {
  /** Resolves when no further call is possible. */
  readonly ended: Promise<void>
  readonly #channel: Channel<FromClient<Q>, FromServer<A>>
  readonly #pending = new Map<number, { resolve(answer: A): void; reject(error: unknown): void }>()
  #ended: { readonly error: unknown } | undefined
  #lastId = 0

  constructor(channel: Channel<FromClient<Q>, FromServer<A>>) {
    this.#channel = channel
    this.ended = this.#receive()
  }

  // #region call
  async call(body: Q, signal?: AbortSignal): Promise<A> {
    signal?.throwIfAborted()
    if (this.#ended !== undefined) throw this.#ended.error
    const id = (this.#lastId += 1)
    let cancel = (): void => {}
    try {
      return await new Promise<A>((resolve, reject) => {
        this.#pending.set(id, { resolve, reject })
        cancel = () => {
          reject(signal?.reason)
          this.#channel.send({ type: 'cancel', id }).catch(() => {})
        }
        signal?.addEventListener('abort', cancel)
        this.#channel.send({ type: 'call', id, body }, { signal }).catch(reject)
      })
    } finally {
      this.#pending.delete(id)
      signal?.removeEventListener('abort', cancel)
    }
  }
  // #endregion

  async #receive(): Promise<void> {
    try {
      for await (const reply of this.#channel) {
        const call = this.#pending.get(reply.id) // undefined if the call was cancelled
        if (reply.type === 'result') call?.resolve(reply.body)
        else call?.reject(new CallError(reply.code, reply.message))
      }
      this.#ended = { error: new CallError('ENDED', 'the server ended the channel') }
    } catch (error) {
      this.#ended = { error }
    }
    for (const { reject } of this.#pending.values()) reject(this.#ended.error)
  }
}

// #region deploys
/** Returns the current calls. `open` runs for the first ones, and again after their channel drains or ends. */
export function reopening<Q, A>(open: () => Promise<Channel<FromClient<Q>, FromServer<A>>>) {
  let current: Promise<Calls<Q, A>> | undefined

  const start = async (forget: () => void): Promise<Calls<Q, A>> => {
    const channel = await open()
    const calls = new Calls(channel)
    const onDraining = (): void => {
      forget()
      // Calls on their way are still answered. Not at once: a caller that just received `calls` may send one more.
      setImmediate(() => void channel.end().catch(() => {}))
    }
    if (channel.draining.aborted) onDraining()
    else channel.draining.addEventListener('abort', onDraining)
    void calls.ended.then(forget)
    return calls
  }

  return async (): Promise<Calls<Q, A>> => {
    if (current !== undefined) return current
    const forget = (): void => {
      if (current === next) current = undefined // unless it is already that of the next channel
    }
    const next = start(forget)
    next.catch(forget)
    return (current = next)
  }
}

export function createPriceClient(origin: string) {
  const client = createClient(origin, { retry: { maxAttempts: 10 } })
  const current = reopening(async () => client.open(prices))
  return {
    priceOf: async (symbol: string) => (await (await current()).call({ symbol })).price,
    close: async () => client.close(),
  }
}
// #endregion

export async function answerCalls<Q, A>(
  channel: Channel<FromServer<A>, FromClient<Q>>,
  answer: (question: Q, signal: AbortSignal) => Promise<A>,
  maxCalls = 100,
): Promise<void> {
  const running = new Map<number, { cancel: AbortController; done: Promise<void> }>()
  void channel.closed.then(() => running.forEach(({ cancel }) => cancel.abort()))

  const run = async (id: number, question: Q, signal: AbortSignal): Promise<void> => {
    try {
      const body = await answer(question, signal)
      if (!signal.aborted) await channel.send({ type: 'result', id, body })
    } catch (error) {
      if (signal.aborted) return
      const isExpected = error instanceof CallError
      if (!isExpected) console.error(error) // The client learns no details.
      const { code, message } = isExpected ? error : new CallError('INTERNAL', 'the call failed')
      await channel.send({ type: 'error', id, code, message })
    }
  }

  // #region loop
  for await (const message of channel) {
    const { id } = message
    if (message.type === 'cancel') running.get(id)?.cancel.abort()
    else if (running.has(id) || running.size >= maxCalls) {
      await channel.send({ type: 'error', id, code: 'BUSY', message: `${running.size} calls are running` })
    } else {
      const cancel = new AbortController()
      const done = run(id, message.body, cancel.signal)
        .catch(() => {}) // The channel has ended, and the loop reports why.
        .finally(() => running.delete(id))
      running.set(id, { cancel, done })
    }
  }
  await Promise.all(Array.from(running.values(), async ({ done }) => done))
  // #endregion
}
