/** Makes the result of a read out of a chunk, or of the end. */
export type Wrap = (chunk: Uint8Array | null) => unknown

/** Waits for the next chunk. */
type Pull = <Result>(wrap: (chunk: Uint8Array | null) => Result) => Promise<Result>

/** Ends the waits that were made with `wrap`. */
type Withdraw = (wrap: Wrap, result: unknown) => void

const done: IteratorReturnResult<undefined> = { done: true, value: undefined }

/** An iteration over the chunks of a conn. Leaving it early ends nothing but itself. */
export function iterate(pull: Pull, withdraw: Withdraw): AsyncIterableIterator<Uint8Array, undefined> {
  let isDone = false
  // A function for each iteration, since it identifies the waits of the iteration.
  const wrap = (chunk: Uint8Array | null): IteratorResult<Uint8Array, undefined> =>
    chunk === null ? { done: true, value: undefined } : { done: false, value: chunk }
  const leave = (): void => {
    isDone = true
    withdraw(wrap, done)
  }
  return {
    next: () => (isDone ? Promise.resolve(done) : pull(wrap)),
    async return(value) {
      leave()
      return { done: true, value: await value }
    },
    throw(error) {
      leave()
      return Promise.reject(error)
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}
