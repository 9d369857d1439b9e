/**
 * Which part of its memory a chunk must fill to keep it. Node hands out views of packets: 20 bytes that nobody has read yet would
 * keep 64 KiB of other traffic. A frame of 16 KiB, which most of a packet of 64 KiB are, stays where it is.
 */
const smallestPart = 1 / 8

// Of a Buffer it makes a Buffer, whose own `slice` copies nothing.
const { slice } = Uint8Array.prototype

/** Returns `bytes`, or a copy in memory of its own where they fill less than an eighth of theirs. */
export function inOwnMemory(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength < bytes.buffer.byteLength * smallestPart ? slice.call(bytes) : bytes
}
