import { runInRootContext } from '@h2channel/conn/internal'

import { platform } from './clock.ts'

/** What is called when a turn ends. */
export interface Turning {
  onTurnEnd(): void
}

/**
 * Calls what has asked for it when the current turn ends: after the promises that are ready now, before the next I/O. A
 * turn in which thousands of channels write has one tick for all of them.
 */
class TurnEnd {
  #due: Turning[] = []
  #wake: () => void = () => {}

  constructor() {
    // It serves all callers, and keeps the context of none: each turn is prepared in the one before.
    runInRootContext(() => void new Promise(this.#setWake).then(this.#onWake))
  }

  add(subject: Turning): void {
    if (this.#due.push(subject) === 1) this.#wake()
  }

  // Made once, since functions for each turn would be garbage of each message.
  readonly #setWake = (resolve: (value: undefined) => void): void => {
    this.#wake = resolve as () => void
  }

  /** A tick comes before the promises when the turn began with a callback: it is asked for in one of the promises. */
  readonly #onWake = (): void => {
    void new Promise(this.#setWake).then(this.#onWake)
    afterPromises(this.#run)
  }

  /** One that throws ends its own turn alone. */
  readonly #run = (): void => {
    const due = this.#due
    this.#due = []
    let done = 0
    try {
      for (const subject of due) {
        done += 1
        subject.onTurnEnd()
      }
    } finally {
      for (; done < due.length; done += 1) this.add(due[done] as Turning)
    }
  }
}

const { process, setImmediate, setTimeout } = platform
const nextTick = process?.nextTick

const afterPromises: (task: () => void) => void =
  nextTick ??
  ((task) => void (setImmediate === undefined ? setTimeout(task, 0, undefined) : setImmediate(task, undefined)))

/** Of all channels of the process. */
export const turnEnd: TurnEnd = new TurnEnd()
