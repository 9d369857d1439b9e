/**
 * Which part of its memory a chunk must fill to keep it. Node hands out views of packets: 20 bytes that nobody has read yet would
 * keep 64 KiB of other traffic.
 */
const smallestPart = 1 / 4

// Of a Buffer it makes a Buffer, whose own `slice` copies nothing.
const { slice } = Uint8Array.prototype

/** Returns `bytes`, or a copy in memory of its own where they fill less than a quarter of theirs. */
export function inOwnMemory(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength < bytes.buffer.byteLength * smallestPart ? slice.call(bytes) : bytes
}
