import { addAbortListener, removeAbortListener } from './abort-listeners.ts'

/**
 * Settles as `promise` does, unless `signal` aborts first: then it rejects with the reason of the signal. Nothing stays
 * on the signal once it has settled.
 */
export function abortable<Result>(promise: Promise<Result>, signal: AbortSignal): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    const release = (): void => removeAbortListener(signal, onAbort)
    if (signal.aborted) onAbort()
    addAbortListener(signal, onAbort)
    promise.then(release, release)
    promise.then(resolve, reject)
  })
}
