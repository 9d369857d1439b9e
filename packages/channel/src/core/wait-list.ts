import { addAbortListener, isAbortSignal, removeAbortListener } from '@h2channel/conn/web'

import { ChannelError, givenUp } from '../errors.ts'

/** The error of a wait that does not even begin: its signal is none, or has aborted. `null` is no signal, as for `fetch`. */
export function refusedBy(signal: AbortSignal | null | undefined, what: string): ChannelError | undefined {
  if (signal === undefined || signal === null) return undefined
  if (!isAbortSignal(signal)) return new ChannelError('INVALID_ARGUMENT', `the signal of ${what} is no AbortSignal`)
  return signal.aborted ? givenUp(what, signal.reason) : undefined
}

/** A promise that waits, and what it waits with. */
export interface Waiting<Item, Result> {
  readonly item: Item
  resolve(result: Result): void
  reject(error: unknown): void
}

/** Promises that wait in order, each of which its signal can take out of the list. */
export class WaitList<Item, Result> {
  /** Mostly the only one. */
  #first: Waiting<Item, Result> | undefined
  /** Made for the second that waits: many a channel never has one. */
  #others: Set<Waiting<Item, Result>> | undefined
  readonly #what: string

  /** @param what - names the wait in errors, such as `the send`. */
  constructor(what: string) {
    this.#what = what
  }

  get size(): number {
    return this.#first === undefined ? 0 : 1 + (this.#others?.size ?? 0)
  }

  /** @param signal - one that has been looked at: see {@link refusedBy}. */
  add(item: Item, signal: AbortSignal | null | undefined): Promise<Result> {
    return new Promise<Result>((resolve, reject) => {
      if (signal === undefined || signal === null) {
        this.#append({ item, resolve, reject })
        return
      }
      const release = (): void => removeAbortListener(signal, giveUp)
      const giveUp = (): void => {
        this.#remove(waiting)
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
      this.#append(waiting)
      addAbortListener(signal, giveUp)
    })
  }

  /** Takes the first out, to be resolved or rejected. */
  take(): Waiting<Item, Result> | undefined {
    const first = this.#first
    if (first !== undefined) this.#remove(first)
    return first
  }

  /** Takes all out and rejects them. */
  fail(error: ChannelError): void {
    for (let waiting = this.take(); waiting !== undefined; waiting = this.take()) waiting.reject(error)
  }

  #append(waiting: Waiting<Item, Result>): void {
    if (this.#first === undefined) {
      this.#first = waiting
      return
    }
    this.#others ??= new Set()
    this.#others.add(waiting)
  }

  #remove(waiting: Waiting<Item, Result>): void {
    if (waiting !== this.#first) {
      this.#others?.delete(waiting)
      return
    }
    this.#first = undefined
    if (this.#others === undefined || this.#others.size === 0) return
    const [next] = this.#others
    if (next !== undefined) this.#others.delete(next)
    this.#first = next
  }
}
