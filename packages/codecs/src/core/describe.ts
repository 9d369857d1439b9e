/** Describes a value for an error message, without its content if it may be long: `a string`, `the number 1.5`. */
export function describe(value: unknown): string {
  if (typeof value === 'number') return `the number ${value}`
  if (typeof value === 'boolean' || value === undefined || value === null) return String(value)
  if (typeof value !== 'object') return `a ${typeof value}`
  if (Array.isArray(value)) return `an array of ${value.length}`
  return ArrayBuffer.isView(value) ? `a view of ${value.byteLength} bytes` : 'an object'
}

/** Maximum length of text from the peer in an error message. Unit: UTF-16 units. */
export const maxQuote = 200

/** Returns the text, cut off if it is too long for an error message. */
export function quote(text: string): string {
  return text.length <= maxQuote ? text : `${text.slice(0, maxQuote)}…`
}

/** Returns the message of a caught value. */
export function reasonOf(caught: unknown): string {
  // Not `instanceof`, which does not recognise errors of another realm.
  const { message } = (caught ?? {}) as { readonly message?: unknown }
  return typeof message === 'string' ? message : `${describe(caught)} was thrown`
}

/** Whether `value` is a `Uint8Array` or an instance of a subclass, of any realm. */
export function isUint8Array(value: unknown): value is Uint8Array {
  if (value instanceof Uint8Array) return true
  return ArrayBuffer.isView(value) && Object.prototype.toString.call(value) === '[object Uint8Array]'
}

/** Returns the memory as a plain `Uint8Array`: a `Buffer` prints differently, and its `slice` does not copy. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.constructor === Uint8Array) return bytes
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
