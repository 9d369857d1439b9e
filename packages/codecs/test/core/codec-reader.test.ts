import { expect, test } from 'vitest'
import { json, msgpack, oneOf, struct, u8 } from '../../src/index.ts'
import type { Codec } from '../../src/index.ts'
import { encoded } from '../support/support.ts'

const codecs: readonly (readonly [string, Codec<{ a: number }>])[] = [
  ['json', json()],
  ['msgpack', msgpack()],
  ['struct', struct({ a: u8 })],
  ['oneOf', oneOf(json<{ a: number }>(), msgpack<{ a: number }>())],
]

test.each(codecs)('%s: a copy, or an heir, reads as it decodes', (_name, codec) => {
  const bytes = encoded(codec, { a: 1 })
  const decode = (received: Uint8Array): { a: number } => ({ a: codec.decode(received).a + 1 })
  const heir: typeof codec = Object.create(codec, { decode: { value: decode } })
  const changed = { ...codec }
  changed.decode = decode
  for (const one of [{ ...codec, decode }, heir, changed]) expect(one.reader?.()).toBeUndefined()
  for (const one of [codec, { ...codec, name: 'own' }]) {
    expect(one.reader?.()?.read(bytes, 0, bytes.length)).toEqual({ a: 1 })
  }
})
