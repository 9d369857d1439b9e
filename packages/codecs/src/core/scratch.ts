// Bytes go in as words and come out as what they stand for. A DataView of the received chunk would save that, but asking
// a Uint8Array for its buffer takes longer than all the rest.
const memory = new ArrayBuffer(8)

/** Eight bytes, as words in the order of the platform. */
export const words: Int32Array = new Int32Array(memory)

/** The same bytes. */
export const floats: Float32Array = new Float32Array(memory)

/** The same bytes. */
export const doubles: Float64Array = new Float64Array(memory)

/** The same bytes. */
export const bigInts: BigInt64Array = new BigInt64Array(memory)

/** The same bytes. */
export const bigUints: BigUint64Array = new BigUint64Array(memory)

/** Which of {@link words} is the high half of a number of eight bytes. */
export const highWord: 0 | 1 = new Uint8Array(Int32Array.of(1).buffer)[0] === 1 ? 1 : 0

/** Which of {@link words} is the low half. */
export const lowWord: 0 | 1 = highWord === 1 ? 0 : 1

/** Where the bytes of a number lie, the most significant first. */
export function significance(offset: number, size: number, littleEndian: boolean): number[] {
  return Array.from({ length: size }, (_, index) => offset + (littleEndian ? size - 1 - index : index))
}
