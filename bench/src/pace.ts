/** Estimates whether the whole will be done in time, from the part that is done. */
export class Pace {
  readonly #steps: number
  readonly #budget: number
  /** When the first step began, without the start of the processes. */
  #begin: number | undefined
  #done = 0

  /** Steps may differ in length. It is behind when the delay exceeds a part of the budget. Unit: milliseconds. */
  constructor(steps: number, budget: number) {
    this.#steps = steps
    this.#budget = budget
  }

  /** Counts steps, and returns how many were done before. */
  advance(steps: number): number {
    this.#begin ??= performance.now()
    this.#done += steps
    return this.#done - steps
  }

  /** How many steps are done. */
  get done(): number {
    return this.#done
  }

  get isBehind(): boolean {
    const due = (this.#budget * this.#done) / this.#steps
    return performance.now() - (this.#begin ?? Infinity) > due + this.#budget * 0.15
  }
}
