/** What becomes known once. Its promise is made when it is asked for, since that takes more memory than all of this. */
export class Outcome<Value> {
  /** Undefined until it is known. */
  value: Value | undefined
  #promise: Promise<Value> | undefined
  #resolve: ((value: Value) => void) | undefined

  get promise(): Promise<Value> {
    if (this.value !== undefined) this.#promise ??= Promise.resolve(this.value)
    this.#promise ??= new Promise((resolve) => {
      this.#resolve = resolve
    })
    return this.#promise
  }

  /** The first value stays. */
  settle(value: Value): void {
    if (this.value !== undefined) return
    this.value = value
    this.#resolve?.(value)
  }
}
