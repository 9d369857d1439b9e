/**
 * The part of its ArrayBuffer that a chunk must fill to stay there. Node's chunks are views of packets: 20 unread bytes
 * would keep 64 KiB of other traffic. A frame of 16 KiB, of which a packet of 64 KiB has several, is not copied.
 */
const minPart = 1 / 8

// Of a Buffer it makes a Buffer. The `slice` of a Buffer copies nothing.
const { slice } = Uint8Array.prototype

/** Returns `bytes`, or a copy with an ArrayBuffer of its size if they fill less than an eighth of theirs. */
export function inOwnMemory(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength < bytes.buffer.byteLength * minPart ? slice.call(bytes) : bytes
}
