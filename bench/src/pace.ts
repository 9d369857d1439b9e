/** Whether the whole will be done in time, judged by how much of it is done. */
export class Pace {
  readonly #steps: number
  readonly #budget: number
  /** When the first step was begun: what starts the processes is none. */
  #begin: number | undefined
  #done = 0

  /** Steps need not take equally long: it is behind when that costs more than a part of the budget. Unit: milliseconds. */
  constructor(steps: number, budget: number) {
    this.#steps = steps
    this.#budget = budget
  }

  /** Counts steps, and returns how many there were before. */
  advance(steps: number): number {
    this.#begin ??= performance.now()
    this.#done += steps
    return this.#done - steps
  }

  get isBehind(): boolean {
    const due = (this.#budget * this.#done) / this.#steps
    return performance.now() - (this.#begin ?? Infinity) > due + this.#budget * 0.15
  }
}
