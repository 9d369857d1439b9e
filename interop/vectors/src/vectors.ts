/** The files of the vectors, and the content of TypeScript's file. */
import { lengthPrefixed } from '@h2channel/channel'
import type { Codec } from '@h2channel/codecs'
import { ByteWriter } from '@h2channel/codecs'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { codecOf } from './codecs.ts'
import type { Notation } from './notation.ts'
import { fromNotation } from './notation.ts'

/** An entry of `cases.json`, written by hand. */
export interface Case {
  readonly name: string
  readonly codec: 'json' | 'msgpack' | 'struct' | 'bytes'
  /** Needed if the codec alone does not define the encoding. */
  readonly contentType?: string
  readonly message: Notation
  /** Why the languages write different bytes. */
  readonly differs?: string
}

/** A case as encoded by one language. */
export interface Vector extends Omit<Case, 'differs'> {
  /** The whole length-prefixed frame. Unit: hex digits. */
  readonly frame: string
}

const limit = 4 * 1024 * 1024

/** The path of a file of messages. */
export function pathOf(file: string): string {
  return fileURLToPath(new URL(`../../../spec/vectors/messages/${file}`, import.meta.url))
}

export function readCases(): Case[] {
  return JSON.parse(readFileSync(pathOf('cases.json'), 'utf8')) as Case[]
}

export function readVectors(file: string): Vector[] {
  return JSON.parse(readFileSync(pathOf(file), 'utf8')) as Vector[]
}

/** The text of `typescript.json`: one vector per line. */
export function writeVectors(cases: readonly Case[]): string {
  const lines = cases.map(({ differs: _differs, ...rest }) => {
    const codec = codecOf(rest.codec, rest.contentType)
    const vector: Vector = { ...rest, frame: frameOf(codec, fromNotation(rest.message)) }
    return JSON.stringify(vector)
  })
  return `[\n${lines.join(',\n')}\n]\n`
}

/** Encodes a message as the body of one frame. */
function frameOf(codec: Codec<unknown>, message: unknown): string {
  const out = new ByteWriter()
  lengthPrefixed().begin(out)
  codec.encode(message, out)
  lengthPrefixed().end(out, 0, limit)
  return Buffer.from(out.written()).toString('hex')
}

/** The message in a frame, which must contain exactly one. */
export function decodeFrame(codec: Codec<unknown>, frame: string): unknown {
  const decoder = lengthPrefixed().decoder(limit)
  decoder.push(Buffer.from(frame, 'hex'))
  if (!decoder.next()) throw new Error('that is not a frame')
  const body = decoder.bytes.subarray(decoder.offset, decoder.offset + decoder.length)
  if (decoder.next()) throw new Error('that is more than one frame')
  decoder.end()
  return codec.decode(body)
}
