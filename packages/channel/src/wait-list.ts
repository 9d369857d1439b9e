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
  readonly #waiting = new Set<Waiting<Item, Result>>()
  readonly #what: string

  /** @param what - names the wait in errors, such as `the send`. */
  constructor(what: string) {
    this.#what = what
  }

  get size(): number {
    return this.#waiting.size
  }

  add(item: Item, signal: AbortSignal | undefined): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      if (signal === undefined) {
        this.#waiting.add({ item, resolve, reject })
        return
      }
      const release = (): void => signal.removeEventListener('abort', giveUp)
      const giveUp = (): void => {
        this.#waiting.delete(waiting)
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
      this.#waiting.add(waiting)
      signal.addEventListener('abort', giveUp, { once: true })
    })
  }

  /** Takes the first out, to be resolved or rejected. */
  take(): Waiting<Item, Result> | undefined {
    for (const first of this.#waiting) {
      this.#waiting.delete(first)
      return first
    }
    return undefined
  }

  /** Takes all out and rejects them. */
  fail(error: ChannelError): void {
    for (let waiting = this.take(); waiting !== undefined; waiting = this.take()) waiting.reject(error)
  }
}
