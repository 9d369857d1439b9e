import { addAbortListener, removeAbortListener } from './abort-listeners.ts'
import type { ConnError } from '../errors.ts'
import { givenUp } from '../errors.ts'

/** A promise that waits, and what it waits with. */
export interface Waiting<Item, Result> {
  readonly item: Item
  resolve(result: Result | PromiseLike<Result>): void
  reject(error: ConnError): void
}

interface Link<Item, Result> extends Waiting<Item, Result> {
  previous: Link<Item, Result> | undefined
  next: Link<Item, Result> | undefined
  /** Takes its listener off the signal. */
  release: (() => void) | undefined
}

/**
 * Promises that wait in order, each of which its signal can take out of the queue. A linked list, since one passes through for
 * every chunk: a Set costs twice as much.
 */
export class WaitQueue<Item, Result> {
  readonly #what: string
  #first: Link<Item, Result> | undefined
  #last: Link<Item, Result> | undefined

  /** @param what - names the wait in errors, such as `the read`. */
  constructor(what: string) {
    this.#what = what
  }

  get isEmpty(): boolean {
    return this.#first === undefined
  }

  /** @param signal - one that has been looked at: see `refusedBy`. */
  add(item: Item, signal: AbortSignal | null | undefined): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const link: Link<Item, Result> = {
        item,
        resolve,
        reject,
        previous: this.#last,
        next: undefined,
        release: undefined,
      }
      if (this.#last === undefined) this.#first = link
      else this.#last.next = link
      this.#last = link
      if (signal === undefined || signal === null) return
      const giveUp = (): void => {
        this.#remove(link)
        reject(givenUp(this.#what, signal.reason))
      }
      link.release = () => removeAbortListener(signal, giveUp)
      addAbortListener(signal, giveUp)
    })
  }

  /** Takes the first out, to be resolved or rejected. */
  take(): Waiting<Item, Result> | undefined {
    const first = this.#first
    if (first === undefined) return undefined
    this.#remove(first)
    first.release?.()
    return first
  }

  /** Takes out all that wait with `item`, and resolves them. */
  withdraw(item: Item, result: Result): void {
    for (let link = this.#first; link !== undefined; link = link.next) {
      if (link.item !== item) continue
      this.#remove(link)
      link.release?.()
      link.resolve(result)
    }
  }

  /** Takes all out and rejects them. */
  fail(error: ConnError): void {
    for (let waiting = this.take(); waiting !== undefined; waiting = this.take()) waiting.reject(error)
  }

  #remove({ previous, next }: Link<Item, Result>): void {
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
  }
}
