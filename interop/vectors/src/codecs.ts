/** The codecs that the vectors name. */
import type { Codec } from '@h2channel/codecs'
import { bytes, json, msgpack, struct } from '@h2channel/codecs'

import { parseLayout } from './layout.ts'

/** The codec of a vector: `contentType` has the fields of a record, or the size of bytes if it is fixed. */
export function codecOf(name: string, contentType = ''): Codec<unknown> {
  switch (name) {
    case 'json':
      return json()
    case 'msgpack':
      return msgpack()
    case 'struct':
      return structOf(contentType)
    case 'bytes':
      return bytesOf(contentType)
    default:
      throw new TypeError(`there is no codec ${name}`)
  }
}

function structOf(contentType: string): Codec<unknown> {
  const [, layout = ''] = /; layout="([^"]*)"/.exec(contentType) ?? []
  const endian = contentType.endsWith('; endian=little') ? 'little' : 'big'
  return struct(parseLayout(layout), { endian }) as Codec<unknown>
}

function bytesOf(contentType: string): Codec<Uint8Array> {
  const [, size] = /; size=(\d+)/.exec(contentType) ?? []
  return size === undefined ? bytes() : bytes(Number(size))
}
