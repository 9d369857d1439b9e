import { queueMicrotask } from '../runtime/timers.ts'

/**
 * Whether `value` can be waited for as an AbortSignal: one of this realm or another, such as that of jsdom, `node:vm` or a
 * polyfill.
 */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>
  const hasListeners = typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  return typeof aborted === 'boolean' && hasListeners
}

/** All that wait for one signal, behind the one listener that it has for them. */
class AbortListeners {
  readonly #signal: AbortSignal
  readonly #all = new Set<() => void>()

  constructor(signal: AbortSignal) {
    this.#signal = signal
  }

  add(listener: () => void): void {
    if (this.#signal.aborted) return
    if (this.#all.size === 0) this.#signal.addEventListener('abort', this, { once: true })
    this.#all.add(listener)
  }

  remove(listener: () => void): void {
    if (this.#all.delete(listener) && this.#all.size === 0) this.#signal.removeEventListener('abort', this)
  }

  handleEvent(): void {
    for (const listener of this.#all) {
      this.#all.delete(listener)
      try {
        listener()
      } catch (error) {
        // As of listeners of their own: the others are called all the same, and nobody can catch it.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}

const ofSignals = new WeakMap<AbortSignal, AbortListeners>()

/**
 * Calls `listener` once when `signal` aborts, unless {@link removeAbortListener} takes it back before. A signal that has aborted
 * already calls nobody. What a listener throws is an uncaught exception, and keeps no other from being called.
 *
 * As many as one likes may wait for one signal, such as that of a process that is to end. With listeners of their own, Node
 * warns of the eleventh, and goes through all of them for each that comes or goes: 70 µs with 10,000 of them.
 */
export function addAbortListener(signal: AbortSignal, listener: () => void): void {
  let listeners = ofSignals.get(signal)
  if (listeners === undefined) ofSignals.set(signal, (listeners = new AbortListeners(signal)))
  listeners.add(listener)
}

/** Takes back what {@link addAbortListener} has added. */
export function removeAbortListener(signal: AbortSignal, listener: () => void): void {
  ofSignals.get(signal)?.remove(listener)
}
