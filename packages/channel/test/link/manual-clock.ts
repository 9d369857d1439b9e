import type { Clock } from '../../src/runtime/clock.ts'

/** A clock that a test moves, and whose timers fire at once. */
export class ManualClock implements Clock {
  #now = 0
  readonly #timers = new Set<{ readonly at: number; readonly fire: () => void }>()

  now(): number {
    return this.#now
  }

  setTimer<Subject>(task: (subject: Subject) => void, delay: number, subject: Subject): unknown {
    const timer = { at: this.#now + delay, fire: () => task(subject) }
    this.#timers.add(timer)
    return timer
  }

  clearTimer(timer: unknown): void {
    this.#timers.delete(timer as never)
  }

  get timers(): number {
    return this.#timers.size
  }

  advance(milliseconds: number): void {
    const end = this.#now + milliseconds
    for (;;) {
      let first: { readonly at: number; readonly fire: () => void } | undefined
      for (const timer of this.#timers)
        if (timer.at <= end && (first === undefined || timer.at < first.at)) first = timer
      if (first === undefined) break
      this.#timers.delete(first)
      this.#now = Math.max(this.#now, first.at)
      first.fire()
    }
    this.#now = end
  }
}
