import { addAbortListener, removeAbortListener } from './abort-listeners.ts'

/**
 * Settles as `promise` does, unless `signal` aborts first. Nothing stays on the signal once it has settled.
 *
 * @param makeError - makes the error of a wait that the signal ended, out of the signal's reason. Default: the reason
 *   itself.
 */
export function abortable<Result>(
  promise: Promise<Result>,
  signal: AbortSignal,
  makeError: (reason: unknown) => unknown = (reason) => reason,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(makeError(signal.reason))
    if (signal.aborted) onAbort()
    addAbortListener(signal, onAbort)
    const release = (): void => removeAbortListener(signal, onAbort)
    promise.then(
      (result) => {
        release()
        resolve(result)
      },
      (error: unknown) => {
        release()
        reject(error)
      },
    )
  })
}
