/** The bytes that the tests send through a conn, and the check that they arrived whole. */
import { createHash } from 'node:crypto'

import type { Conn } from '@h2channel/conn'

/** Bytes that were sent or received, and their checksum. */
export interface Counted {
  readonly bytes: number
  readonly sha256: string
}

/** Writes at least `total` bytes in pieces of `size`, without a pause. No two pieces are alike. */
export async function sendAll(
  conn: Conn,
  total: number,
  size: number,
  write: (piece: Uint8Array) => Promise<void> = (piece) => conn.write(piece),
): Promise<Counted> {
  const hash = createHash('sha256')
  let bytes = 0
  for (let index = 0; bytes < total; index++) {
    const piece = Buffer.alloc(size, index)
    piece.writeUInt32BE(index)
    hash.update(piece)
    bytes += size
    await write(piece)
  }
  return { bytes, sha256: hash.digest('hex') }
}

/** Reads to the end. `onBytes` gets the number of bytes so far, and may delay the reading. */
export async function receiveAll(
  conn: Conn,
  onBytes: (bytes: number) => void | Promise<void> = () => {},
): Promise<Counted> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of conn) {
    hash.update(chunk)
    bytes += chunk.length
    await onBytes(bytes)
  }
  return { bytes, sha256: hash.digest('hex') }
}

export interface Exchanged {
  readonly up: { readonly sent: Counted; readonly received: Counted }
  readonly down: { readonly sent: Counted; readonly received: Counted }
}

/**
 * Sends `total` bytes in each direction. Both sides write and read at the same time. The client ends its half first,
 * because not every proxy lets the server do so.
 */
export async function exchange(client: Conn, server: Conn, total: number, size: number): Promise<Exchanged> {
  const serve = async (): Promise<[Counted, Counted]> => {
    const both = await Promise.all([sendAll(server, total, size), receiveAll(server)])
    await server.closeWrite()
    return both
  }
  const send = async (): Promise<Counted> => {
    const sent = await sendAll(client, total, size)
    await client.closeWrite()
    return sent
  }
  const [[downSent, upReceived], upSent, downReceived] = await Promise.all([serve(), send(), receiveAll(client)])
  return { up: { sent: upSent, received: upReceived }, down: { sent: downSent, received: downReceived } }
}

/** Reads until `size` bytes have arrived. */
export async function readExactly(conn: Conn, size: number): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for (let length = 0; length < size;) {
    const chunk = await conn.read()
    if (chunk === null) break
    chunks.push(chunk)
    length += chunk.length
  }
  return Buffer.concat(chunks)
}
