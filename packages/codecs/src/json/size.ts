/** Maximum depth of inspection. Deeper values may be a cycle, which `JSON.stringify` reports. Unit: levels. */
const maxInspected = 200

/** The result for a value that is nested too deeply. */
const unknown = Infinity

/**
 * Whether the JSON text of `value` is longer than `left` units for certain. It takes at most a tenth of the time that
 * `JSON.stringify` takes to make the text, and stops as soon as it knows. Unit: UTF-16 units.
 */
export function isLongerThan(value: unknown, left: number): boolean {
  return left !== Infinity && estimate(value, left, 0) < 0 && remaining(value, left, 0) < 0
}

/**
 * Returns a lower bound of the units left after `value`. It treats every object as a plain one, which is fast and
 * usually sufficient. It runs for each message.
 */
function estimate(value: unknown, left: number, depth: number): number {
  if (typeof value === 'string') return left - value.length - 2
  if (typeof value !== 'object' || value === null) return left - 1
  if (depth === maxInspected) return unknown
  if (Array.isArray(value)) return estimateOfItems(value, left, depth + 1)
  if (ArrayBuffer.isView(value)) return remaining(value, left, depth)
  if (typeof (value as { readonly toJSON?: unknown }).toJSON === 'function') return left
  let now = left - 1
  for (const key in value) {
    const part = (value as Readonly<Record<string, unknown>>)[key]
    now -= key.length + 4
    if (typeof part === 'string') now -= part.length + 1
    else if (typeof part === 'object' && part !== null) now = estimate(part, now, depth + 1)
    if (now < 0 || now === unknown) break
  }
  return now
}

function estimateOfItems(items: readonly unknown[], left: number, depth: number): number {
  let now = left - items.length - 1
  for (let index = 0; index < items.length && now >= 0 && now !== unknown; index++)
    now = estimate(items[index], now, depth)
  return now
}

/** Returns the units left after `value`, or after a part of it that is already too long. */
function remaining(value: unknown, left: number, depth: number): number {
  if (typeof value === 'string') return left - value.length - 2
  if (typeof value !== 'object' || value === null) return left - 1
  if (depth === maxInspected) return unknown
  if (Array.isArray(value)) return remainingAfterItems(value, left, depth + 1)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null || isOfClass(value)) {
    return remainingAfterProperties(value, left, depth + 1)
  }
  return isView(value) ? left - value.length : left
}

/** Counts at least one unit for an item without a JSON form, which becomes `null`. */
function remainingAfterItems(items: readonly unknown[], left: number, depth: number): number {
  // The commas.
  let now = left - items.length - 1
  for (let index = 0; index < items.length && now >= 0 && now !== unknown; index++)
    now = remaining(items[index], now, depth)
  return now
}

/** Skips properties without a JSON form, which `JSON.stringify` omits. */
function remainingAfterProperties(value: object, left: number, depth: number): number {
  // The size of its result is unknown.
  if (typeof (value as { readonly toJSON?: unknown }).toJSON === 'function') return left
  let now = left - 1
  // This avoids the array of `Object.keys`. The members of a prototype are usually not enumerable, or functions.
  for (const key in value) {
    if (now < 0 || now === unknown) break
    const part = (value as Readonly<Record<string, unknown>>)[key]
    if (part === undefined || typeof part === 'function' || typeof part === 'symbol') continue
    // The key of an object is not counted, since its `toJSON` may return `undefined`.
    now = remaining(part, typeof part === 'object' ? now : now - key.length - 3, depth)
  }
  return now
}

/** Whether an object is written as its properties, unlike a boxed string. */
function isOfClass(value: object): boolean {
  return Object.prototype.toString.call(value) === '[object Object]'
}

/** Whether the value is an array of bytes or numbers. Each becomes a property, or an item of a `Buffer`. */
function isView(value: object): value is ArrayLike<unknown> {
  return ArrayBuffer.isView(value) && 'length' in value
}
