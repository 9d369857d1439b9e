import type { ConnError } from './errors.ts'
import { givenUp } from './errors.ts'

interface Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result) => void
  readonly reject: (error: ConnError) => void
  release?: () => void
}

/** Promises that wait in order, each of which its signal can take out of the queue. */
export class WaitQueue<Item, Result> {
  readonly #waiting = new Set<Waiting<Item, Result>>()
  readonly #what: string

  /** @param what - names the wait in errors, such as `the read`. */
  constructor(what: string) {
    this.#what = what
  }

  get size(): number {
    return this.#waiting.size
  }

  add(item: Item, signal: AbortSignal | undefined): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const waiting: Waiting<Item, Result> = { item, resolve, reject }
      this.#waiting.add(waiting)
      if (signal === undefined) return
      const giveUp = (): void => {
        this.#waiting.delete(waiting)
        reject(givenUp(this.#what, signal.reason))
      }
      waiting.release = () => signal.removeEventListener('abort', giveUp)
      signal.addEventListener('abort', giveUp, { once: true })
    })
  }

  /** Takes the first out and resolves it with what `serve` makes of its item. The queue must not be empty. */
  serve(serve: (item: Item) => Result): void {
    for (const first of this.#waiting) {
      this.#waiting.delete(first)
      first.release?.()
      first.resolve(serve(first.item))
      return
    }
  }

  /** Takes all out and rejects them. */
  fail(error: ConnError): void {
    for (const waiting of this.#waiting) {
      waiting.release?.()
      waiting.reject(error)
    }
    this.#waiting.clear()
  }
}
