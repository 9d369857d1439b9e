import { isAbortSignal } from './abort-listeners.ts'

/** Creates an error of a package. */
type MakeError<E extends Error> = new (
  code: 'CANCELLED' | 'INVALID_ARGUMENT' | 'TIMEOUT',
  message: string,
  options?: ErrorOptions,
) => E

/** The errors of waits that a signal ends. `what` names the wait in the message, such as `the read`. */
export interface WaitErrors<E extends Error> {
  /** Returns the error of a wait that its signal ended for `reason`. */
  abortError(what: string, reason: unknown): E
  /** Returns the error of a wait whose `signal` has aborted or is invalid. As for `fetch`, `null` means no signal. */
  signalError(signal: AbortSignal | null | undefined, what: string): E | undefined
}

/** Makes {@link WaitErrors} of the class in which a package throws. */
export function waitErrors<E extends Error>(ErrorClass: MakeError<E>): WaitErrors<E> {
  function abortError(what: string, reason: unknown): E {
    // The name decides: the DOMException of another realm is no `Error` of this one.
    return (reason as { readonly name?: unknown } | null | undefined)?.name === 'TimeoutError'
      ? new ErrorClass('TIMEOUT', `${what} took longer than its signal allows`, { cause: reason })
      : new ErrorClass('CANCELLED', `${what} was cancelled by its signal`, { cause: reason })
  }
  function signalError(signal: AbortSignal | null | undefined, what: string): E | undefined {
    if (signal === undefined || signal === null) return undefined
    if (!isAbortSignal(signal)) return new ErrorClass('INVALID_ARGUMENT', `the signal of ${what} is no AbortSignal`)
    return signal.aborted ? abortError(what, signal.reason) : undefined
  }
  return { abortError, signalError }
}
