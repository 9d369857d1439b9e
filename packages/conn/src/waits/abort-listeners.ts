import { queueMicrotask } from '../runtime/timers.ts'

/** Whether `value` works as an AbortSignal, also of another realm, such as that of jsdom, `node:vm` or a polyfill. */
export function isAbortSignal(value: unknown): value is AbortSignal {
  if (typeof value !== 'object' || value === null) return false
  const { aborted, addEventListener, removeEventListener } = value as Partial<AbortSignal>
  const hasListeners = typeof addEventListener === 'function' && typeof removeEventListener === 'function'
  return typeof aborted === 'boolean' && hasListeners
}

/** All listeners of one signal, behind the one that the signal has. */
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
        // As with separate listeners, the others are still called, and no caller can catch the error.
        queueMicrotask(() => {
          throw error
        })
      }
    }
  }
}

const bySignal = new WeakMap<AbortSignal, AbortListeners>()

/**
 * Calls `listener` once when `signal` aborts, unless {@link removeAbortListener} removes it before. A signal that has
 * aborted already calls no listener. An error that a listener throws is an uncaught exception, and does not keep the
 * others from being called.
 *
 * Any number of waits may share one signal, such as the signal that ends a process. With separate listeners, Node warns
 * of the eleventh, and walks through all of them for each that is added or removed: 70 µs with 10,000 of them.
 */
export function addAbortListener(signal: AbortSignal, listener: () => void): void {
  let listeners = bySignal.get(signal)
  if (listeners === undefined) bySignal.set(signal, (listeners = new AbortListeners(signal)))
  listeners.add(listener)
}

/** Removes a listener of {@link addAbortListener}. */
export function removeAbortListener(signal: AbortSignal, listener: () => void): void {
  bySignal.get(signal)?.remove(listener)
}
