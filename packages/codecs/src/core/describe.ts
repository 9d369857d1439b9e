/** Says what kind of value `value` is, without its content, for an error message: `a string`, `the number 1.5`. */
export function describe(value: unknown): string {
  if (typeof value === 'number') return `the number ${value}`
  if (typeof value === 'boolean' || value === undefined || value === null) return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return ArrayBuffer.isView(value) ? `a view of ${value.byteLength} bytes` : 'an object'
}

/** How much of a text that the other side may have chosen goes into an error message. Unit: UTF-16 units. */
export const maxQuote = 200

/** The text, cut off where it is too long for an error message. */
export function quote(text: string): string {
  return text.length <= maxQuote ? text : `${text.slice(0, maxQuote)}…`
}

/** The text of something that was caught. */
export function reasonOf(caught: unknown): string {
  // By its form: an error of another realm is none of this one's.
  const { message } = (caught ?? {}) as { readonly message?: unknown }
  return typeof message === 'string' ? message : `${describe(caught)} was thrown`
}

/** Whether `value` is a `Uint8Array` or a subclass of it, of this realm or another. */
export function isUint8Array(value: unknown): value is Uint8Array {
  if (value instanceof Uint8Array) return true
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === '[object Uint8Array]'
}

/** The same memory as a plain `Uint8Array`: a `Buffer` differs from one in what `slice` does and how it prints. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
