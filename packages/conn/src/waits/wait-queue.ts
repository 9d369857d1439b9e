import { addAbortListener, removeAbortListener } from './abort-listeners.ts'

/** A promise that waits, and the item it waits with. */
export interface Waiting<Item, Result> {
  readonly item: Item
  resolve(result: Result | PromiseLike<Result>): void
  reject(error: unknown): void
}

/** A link of a list. Not of a class, whose constructor and fields would be two more calls for each wait. */
interface Link<Item, Result> extends Waiting<Item, Result> {
  previous: Link<Item, Result> | undefined
  next: Link<Item, Result> | undefined
  /** Removes the listener from the signal. */
  release: (() => void) | undefined
}

/**
 * Promises that wait in order. The signal of each may remove it. An empty queue holds no memory but its own.
 *
 * It is a linked list, since a wait passes through for every chunk: a Set costs twice as much.
 */
export class WaitQueue<Item, Result> {
  readonly #makeError: (reason: unknown) => unknown
  #first: Link<Item, Result> | undefined
  #last: Link<Item, Result> | undefined
  size = 0

  /** @param makeError - makes the error of a wait that its signal ended, out of the signal's reason. */
  constructor(makeError: (reason: unknown) => unknown) {
    this.#makeError = makeError
  }

  /** @param signal - was checked by the caller: it is an AbortSignal that has not aborted. */
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
      this.size += 1
      if (this.#last === undefined) this.#first = link
      else this.#last.next = link
      this.#last = link
      if (signal === undefined || signal === null) return
      const onAbort = (): void => {
        this.#remove(link)
        reject(this.#makeError(signal.reason))
      }
      link.release = () => removeAbortListener(signal, onAbort)
      addAbortListener(signal, onAbort)
    })
  }

  /** Removes the first, for the caller to resolve or reject. */
  take(): Waiting<Item, Result> | undefined {
    const first = this.#first
    if (first === undefined) return undefined
    this.size -= 1
    this.#first = first.next
    if (first.next === undefined) this.#last = undefined
    else first.next.previous = undefined
    first.next = undefined
    first.release?.()
    return first
  }

  /** Removes all that wait with `item`, and resolves them. */
  withdraw(item: Item, result: Result): void {
    for (let link = this.#first, next; link !== undefined; link = next) {
      next = link.next
      if (link.item !== item) continue
      this.#remove(link)
      link.release?.()
      link.resolve(result)
    }
  }

  /** Removes all and rejects them. */
  fail(error: unknown): void {
    for (let waiting = this.take(); waiting !== undefined; waiting = this.take()) waiting.reject(error)
  }

  #remove(link: Link<Item, Result>): void {
    this.size -= 1
    const { previous, next } = link
    if (previous === undefined) this.#first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    link.previous = link.next = undefined
  }
}
