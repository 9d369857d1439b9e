import { addAbortListener, removeAbortListener } from './abort-listeners.ts'

/** A promise that waits, and the item it waits with. */
export interface Waiting<Item, Result> {
  readonly item: Item
  resolve(result: Result | PromiseLike<Result>): void
  reject(error: unknown): void
}

/** A link of a circular list: its neighbours are itself while it is alone. */
class Link<Item, Result> implements Waiting<Item, Result> {
  readonly item: Item
  readonly resolve: (result: Result | PromiseLike<Result>) => void
  readonly reject: (error: unknown) => void
  previous: Link<Item, Result> = this
  next: Link<Item, Result> = this
  /** Removes the listener from the signal. */
  release: (() => void) | undefined = undefined

  constructor(item: Item, resolve: (result: Result | PromiseLike<Result>) => void, reject: (error: unknown) => void) {
    this.item = item
    this.resolve = resolve
    this.reject = reject
  }
}

/**
 * Promises that wait in order. The signal of each may remove it. An empty queue holds no memory but its own.
 *
 * It is a linked list, since a wait passes through for every chunk: a Set costs twice as much.
 */
export class WaitQueue<Item, Result> {
  readonly #makeError: (reason: unknown) => unknown
  #first: Link<Item, Result> | undefined
  size = 0

  /** @param makeError - makes the error of a wait that its signal ended, out of the signal's reason. */
  constructor(makeError: (reason: unknown) => unknown) {
    this.#makeError = makeError
  }

  /** @param signal - was checked by the caller: it is an AbortSignal that has not aborted. */
  add(item: Item, signal: AbortSignal | null | undefined): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      const link = new Link(item, resolve, reject)
      this.#append(link)
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
    this.#remove(first)
    first.release?.()
    return first
  }

  /** Removes all that wait with `item`, and resolves them. */
  withdraw(item: Item, result: Result): void {
    let link = this.#first
    for (let left = this.size; left > 0 && link !== undefined; left -= 1, link = link.next) {
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

  #append(link: Link<Item, Result>): void {
    this.size += 1
    const first = this.#first
    if (first === undefined) {
      this.#first = link
      return
    }
    link.previous = first.previous
    link.next = first
    first.previous.next = link
    first.previous = link
  }

  #remove(link: Link<Item, Result>): void {
    this.size -= 1
    link.previous.next = link.next
    link.next.previous = link.previous
    if (this.#first === link) this.#first = this.size === 0 ? undefined : link.next
  }
}
