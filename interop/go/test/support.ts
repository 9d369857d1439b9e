/** Shared by the tests of both directions. */
import { Channel, fixedLength, newlineDelimited } from '@h2channel/channel'
import { bytes, f32, i16, json, struct, u16 } from '@h2channel/codecs'
import type { Codec } from '@h2channel/codecs'
import { ConnError } from '@h2channel/conn'
import type { Conn } from '@h2channel/conn'
import type { Certificate } from '@h2channel/conn/testing'
import { makeCertificate } from '@h2channel/conn/testing'
import { createHash } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, inject } from 'vitest'

import type { Message } from './programs.ts'

export const mebibyte: number = 1024 * 1024

/** Text that JSON can write in more than one way, and UTF-8 in more than one byte. */
export const trickyText = '<b> & "größer" \\ \u2028 😀'

export interface Flight {
  readonly delay: number
  readonly distance: number
  readonly time: number
}

const flight: Codec<Flight> = struct({ delay: i16, distance: u16, time: f32 })

/** The format of `json.NewEncoder(conn)` and `json.NewDecoder(conn)`. */
export function jsonLines(conn: Conn): Channel<Message, Message> {
  return new Channel(conn, { send: json<Message>(), receive: json<Message>(), framing: newlineDelimited() })
}

/** The format of `io.ReadFull(conn, buffer)`. */
export function buffers(conn: Conn, size: number): Channel<Uint8Array, Uint8Array> {
  return new Channel(conn, { send: bytes(size), receive: bytes(size), framing: fixedLength(size) })
}

/** The format of `binary.Read(conn, binary.BigEndian, &flight)` and `binary.Write`. */
export function flights(conn: Conn): Channel<Flight, Flight> {
  return new Channel(conn, { send: flight, receive: flight, framing: fixedLength(8) })
}

export const transports = ['TLS', 'cleartext'] as const

export type TransportName = (typeof transports)[number]

/** A certificate, also as files. */
export interface CertificateFiles {
  readonly pem: Certificate
  readonly cert: string
  readonly key: string
}

/** Makes the certificate of a transport; `undefined` for cleartext. The files lie with the Go programs. */
export async function certificateFor(transport: TransportName): Promise<CertificateFiles | undefined> {
  if (transport === 'cleartext') return undefined
  return filesOf(await makeCertificate())
}

/** Writes a certificate to a path that a Go program can read. */
export function filesOf(pem: Certificate): CertificateFiles {
  const folder = mkdtempSync(join(inject('goPrograms'), 'certificate-'))
  const files = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  writeFileSync(files.cert, pem.cert)
  writeFileSync(files.key, pem.key)
  return { pem, ...files }
}

/** Waits for a promise to reject with a ConnError, and returns it. */
export async function failure(promise: Promise<unknown>): Promise<ConnError> {
  const error: unknown = await promise.then(
    () => new Error('it did not fail'),
    (reason: unknown) => reason,
  )
  expect(error).toBeInstanceOf(ConnError)
  if (!(error instanceof ConnError)) throw error
  return error
}

/** Waits for a conn to end with an error, and returns it. */
export async function brokenOff(conn: Conn): Promise<ConnError> {
  const closed = await conn.closed
  if (closed.clean) throw new Error('it ended cleanly')
  return closed.error
}

/** The answers of the other side: each message is repeated as often as its number modulo 3. */
export function repliesTo(messages: readonly Message[]): Message[] {
  return messages.flatMap((message) => Array.from({ length: message.n % 3 }, () => message))
}

/** `count` messages, numbered from zero. */
export function numbered(count: number): Message[] {
  return Array.from({ length: count }, (_, n) => ({ n, text: `${trickyText} ${n}` }))
}

/** Receives to the end. */
export async function all<R>(channel: AsyncIterable<R>): Promise<R[]> {
  const messages: R[] = []
  for await (const message of channel) messages.push(message)
  return messages
}

/** Reads to the end, and counts the bytes. */
export async function countBytes(conn: Conn): Promise<number> {
  let size = 0
  for await (const chunk of conn) size += chunk.length
  return size
}

/** Reads to the end, as text. */
export async function readText(conn: Conn): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of conn) text += decoder.decode(chunk, { stream: true })
  return text
}

export interface Bulk {
  readonly bytes: number
  readonly sent: string
  readonly received: string
}

/** Sends `size` bytes and reads to the peer's end at the same time. Returns the SHA-256 of each direction. */
export async function bulk(conn: Conn, size: number): Promise<Bulk> {
  const send = async (): Promise<string> => {
    const hash = createHash('sha256')
    const block = 64 * 1024
    for (let left = size, number = 0; left > 0; left -= block, number += 1) {
      const piece = new Uint8Array(Math.min(block, left)).fill(number)
      new DataView(piece.buffer).setUint32(0, number)
      hash.update(piece)
      await conn.write(piece)
    }
    await conn.closeWrite()
    return hash.digest('hex')
  }
  const receive = async (): Promise<{ bytes: number; received: string }> => {
    const hash = createHash('sha256')
    let read = 0
    for await (const chunk of conn) {
      hash.update(chunk)
      read += chunk.length
    }
    return { bytes: read, received: hash.digest('hex') }
  }
  const [sent, incoming] = await Promise.all([send(), receive()])
  return { sent, ...incoming }
}

/** Prints the speed. Nothing depends on it. */
export function tellSpeed(what: string, bytesMoved: number, since: number): void {
  const rate = bytesMoved / 1e3 / (performance.now() - since)
  process.stderr.write(`${what}: ${rate.toFixed(0)} MB/s each way\n`)
}
