import { isUint8Array } from '../core/describe.ts'

/** Whether `value` can have fields. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}

export function isArrayOf(length: number, value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length === length
}

/** Unit of `size`: bytes. */
export function isBytesOf(size: number, value: unknown): value is Uint8Array {
  return isUint8Array(value) && value.length === size
}
