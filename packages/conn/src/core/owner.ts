/**
 * How a channel uses its conn: without a promise, and what belongs to one, for each chunk and each write. With them, a
 * message would take twice as many calls, and each of many channels would hold them while it waits.
 */
import type { Conn, ConnClosed } from './conn.ts'

/** What a conn belongs to. */
export interface ConnOwner {
  /** The conn has closed. Called once. */
  onConnClosed(closed: ConnClosed): void
}

/** What reads a conn, one chunk at a time. */
export interface ConnReader {
  /** The chunk that was asked for, or `null` at the end. */
  onChunk(chunk: Uint8Array | null): void
  onReadError(error: unknown): void
}

/** What writes to a conn, one write at a time. */
export interface ConnWriter {
  /** The write was handed on. With `isReleased`, nothing reads its bytes any more. */
  onWritten(isReleased: boolean): void
  onWriteError(error: unknown): void
}

/** The calls of an owner. The first three are answered by one of the methods above, but never before they return. */
export interface OwnerCalls {
  /** Like `conn.closed`. */
  tellClosed(owner: ConnOwner, conn: Conn): void
  /** Like `conn.read()`. */
  readTo(reader: ConnReader, conn: Conn): void
  /** Like `conn.write(bytes, { handedOn: true })`. */
  writeFrom(writer: ConnWriter, conn: Conn, bytes: Uint8Array): void
  /** Whether what is written may share its memory with other bytes, since no program gets at it. */
  hidesBytes(conn: Conn): boolean
}

/** {@link OwnerCalls} of any conn. */
export const byPromises: OwnerCalls = {
  tellClosed(owner, conn) {
    void conn.closed.then((closed) => owner.onConnClosed(closed))
  },
  readTo(reader, conn) {
    conn.read().then(
      (chunk) => reader.onChunk(chunk),
      (error: unknown) => reader.onReadError(error),
    )
  },
  writeFrom(writer, conn, bytes) {
    let isReleased = false
    const released = (): void => {
      isReleased = true
    }
    conn.write(bytes, { handedOn: true, released }).then(
      () => writer.onWritten(isReleased),
      (error: unknown) => writer.onWriteError(error),
    )
  },
  hidesBytes: () => false,
}

/** Whether no subclass, and no program at the object or a subclass, has replaced what `base` defines. */
export function isInherited(key: string, object: object, base: object): boolean {
  for (let one = object; one !== base; one = Object.getPrototypeOf(one) as object) {
    if (Object.hasOwn(one, key)) return false
  }
  return true
}
