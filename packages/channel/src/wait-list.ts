import type { ChannelError } from './errors.ts'
import { givenUp } from './errors.ts'

/** A promise that waits, and what it waits with. */
export interface Waiting<Item, Result> {
  readonly item: Item
  resolve(result: Result): void
  reject(error: unknown): void
}

/** Promises that wait in order, each of which its signal can take out of the list. */
export class WaitList<Item, Result> {
  /** Made for the first that waits: many a channel never has one. */
  #waiting: Set<Waiting<Item, Result>> | undefined
  readonly #what: string

  /** @param what - names the wait in errors, such as `the send`. */
  constructor(what: string) {
    this.#what = what
  }

  get size(): number {
    return this.#waiting?.size ?? 0
  }

  add(item: Item, signal: AbortSignal | undefined): Promise<Result> {
    this.#waiting ??= new Set()
    const all = this.#waiting
    return new Promise<Result>((resolve, reject) => {
      if (signal === undefined) {
        all.add({ item, resolve, reject })
        return
      }
      const release = (): void => signal.removeEventListener('abort', giveUp)
      const giveUp = (): void => {
        all.delete(waiting)
        reject(givenUp(this.#what, signal.reason))
      }
      const waiting: Waiting<Item, Result> = {
        item,
        resolve(result) {
          release()
          resolve(result)
        },
        reject(error) {
          release()
          reject(error)
        },
      }
      all.add(waiting)
      signal.addEventListener('abort', giveUp, { once: true })
    })
  }

  /** Takes the first out, to be resolved or rejected. */
  take(): Waiting<Item, Result> | undefined {
    const all = this.#waiting
    if (all === undefined || all.size === 0) return undefined
    const [first] = all
    if (first !== undefined) all.delete(first)
    return first
  }

  /** Takes all out and rejects them. */
  fail(error: ChannelError): void {
    for (let waiting = this.take(); waiting !== undefined; waiting = this.take()) waiting.reject(error)
  }
}
