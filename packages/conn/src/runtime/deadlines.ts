import { Linked, LinkedList } from './linked-list.ts'
import { clearTimeout, now, setTimeout } from './timers.ts'

/** A wait that may take some time at most. */
export class Deadline extends Linked<Deadline> {
  readonly at: number
  readonly onTime: () => void
  readonly #deadlines: Deadlines

  constructor(at: number, onTime: () => void, deadlines: Deadlines) {
    super()
    this.at = at
    this.onTime = onTime
    this.#deadlines = deadlines
  }

  /** The wait has ended in time. */
  cancel(): void {
    this.#deadlines.cancel(this)
  }
}

/** The deadlines that wait, by their delay: deadlines that keep the process alive, and the others. */
const alive = new Map<number, Deadlines>()
const idle = new Map<number, Deadlines>()

/**
 * Calls `onTime` after `delay` milliseconds, unless the wait ends before, as it nearly always does: all deadlines of
 * one delay share one timer. `onTime` runs in no caller's asynchronous context.
 *
 * @param keepsAlive - whether the process lives on meanwhile.
 */
export function setDeadline(onTime: () => void, delay: number, keepsAlive: boolean): Deadline {
  const all = keepsAlive ? alive : idle
  let deadlines = all.get(delay)
  if (deadlines === undefined) all.set(delay, (deadlines = new Deadlines(delay, all)))
  return deadlines.add(onTime)
}

/** Settles as `wait` does. Calls `onTime` if that takes longer than `delay` ms. The process lives on meanwhile. */
export async function inTime<Result>(wait: Promise<Result>, delay: number, onTime: () => void): Promise<Result> {
  const deadline = setDeadline(onTime, delay, true)
  try {
    return await wait
  } finally {
    deadline.cancel()
  }
}

/** All deadlines of one delay, in the order in which they are due. */
class Deadlines {
  readonly #delay: number
  readonly #all: Map<number, Deadlines>
  readonly #waiting = new LinkedList<Deadline>()
  #timer: NodeJS.Timeout | undefined

  constructor(delay: number, all: Map<number, Deadlines>) {
    this.#delay = delay
    this.#all = all
    this.#start(delay)
  }

  add(onTime: () => void): Deadline {
    const deadline = new Deadline(now() + this.#delay, onTime, this)
    this.#waiting.add(deadline)
    return deadline
  }

  cancel(deadline: Deadline): void {
    if (!this.#waiting.delete(deadline) || this.#waiting.size > 0) return
    // A timer that keeps no process alive stays for the next: making and clearing one takes longer than a deadline.
    if (this.#all === idle) return
    clearTimeout(this.#timer)
    if (this.#all.get(this.#delay) === this) this.#all.delete(this.#delay)
  }

  #start(delay: number): void {
    this.#timer = setTimeout(() => this.#onTimer(), delay)
    // Browsers have a number instead.
    if (this.#all === idle && typeof this.#timer === 'object') this.#timer.unref()
  }

  #onTimer(): void {
    const time = now()
    // Deadlines that are set meanwhile are in a list of their own.
    this.#all.delete(this.#delay)
    try {
      for (let { first } = this.#waiting; first !== undefined && first.at <= time; { first } = this.#waiting) {
        this.#waiting.delete(first)
        first.onTime()
      }
    } finally {
      this.#continue(time)
    }
  }

  /** Waits for what is left, or for nothing. */
  #continue(time: number): void {
    const { first } = this.#waiting
    if (first === undefined) return
    if (!this.#all.has(this.#delay)) this.#all.set(this.#delay, this)
    this.#start(Math.max(1, Math.ceil(first.at - time)))
  }
}
