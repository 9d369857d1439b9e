/** Up to this length, a loop copies ASCII text faster than a call of the platform. Unit: bytes. */
export const maxShortText = 24

/** An array for each length up to {@link maxShortText}, filled again for each text. */
const unitsByLength = Array.from({ length: maxShortText + 1 }, (_, length) => Array.from({ length }, () => 0))

/** Reads the bytes from `from` up to `to`. Returns `undefined` when they are long or not ASCII: UTF-8 reads those. */
export function readShortAscii(bytes: Uint8Array, from: number, to: number): string | undefined {
  const units = unitsByLength[to - from]
  if (units === undefined) return undefined
  let bits = 0
  for (let index = 0; index < units.length; index++) {
    const byte = bytes[from + index] ?? 0
    bits |= byte
    units[index] = byte
  }
  return bits < 0x80 ? String.fromCharCode(...units) : undefined
}

/** Writes `text` at `at`, where there is room. Returns `false` if it is not ASCII: some of it is written then. */
export function writeAscii(text: string, bytes: Uint8Array, at: number): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index)
    if (unit >= 0x80) return false
    bytes[at + index] = unit
  }
  return true
}
