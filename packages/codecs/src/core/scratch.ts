// Numbers are read by writing their bytes as words and reading them as floats or integers. A DataView of the received
// chunk would be simpler, but reading the `buffer` of a Uint8Array takes longer than all of this.
const memory = new ArrayBuffer(8)

/** Eight bytes of scratch memory, as words in the platform's byte order. */
export const words: Int32Array = new Int32Array(memory)

/** The memory of {@link words} as 32-bit floats. */
export const floats: Float32Array = new Float32Array(memory)

/** The memory of {@link words} as a 64-bit float. */
export const doubles: Float64Array = new Float64Array(memory)

/** The memory of {@link words} as a signed 64-bit integer. */
export const bigInts: BigInt64Array = new BigInt64Array(memory)

/** The memory of {@link words} as an unsigned 64-bit integer. */
export const bigUints: BigUint64Array = new BigUint64Array(memory)

/** Index in {@link words} of the high half of an eight-byte number. */
export const highWord: 0 | 1 = new Uint8Array(Int32Array.of(1).buffer)[0] === 1 ? 1 : 0

/** Index in {@link words} of the low half of an eight-byte number. */
export const lowWord: 0 | 1 = highWord === 1 ? 0 : 1

/** Returns the offsets of a number's bytes, the most significant first. */
export function significance(offset: number, size: number, littleEndian: boolean): number[] {
  return Array.from({ length: size }, (_, index) => offset + (littleEndian ? size - 1 - index : index))
}
