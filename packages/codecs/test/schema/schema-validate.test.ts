/** Where messages are checked: `validate` says it. */
import * as v from 'valibot'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { converter, json, msgpack } from '../../src/index.ts'
import type { SchemaOptions } from '../../src/index.ts'
import { libraries } from '../support/schema-libraries.ts'
import { codecError, encodeAnything, failing, resultOrCode } from '../support/support.ts'

const good = { id: 1, symbols: ['SAP'] }
const bad = { id: 1, symbols: ['SAP', 7] }

const modes: readonly (readonly [validate: SchemaOptions['validate'], sending: boolean, receiving: boolean])[] = [
  [undefined, false, true],
  ['receive', false, true],
  ['both', true, true],
  ['none', false, false],
]

const table = libraries.flatMap(([library, schema]) =>
  modes.map(([validate, sending, receiving]) => ({ library, schema, validate, sending, receiving })),
)

test.each(table)('json, msgpack: check with $library where validate is $validate', (row) => {
  const { schema, validate, sending, receiving } = row
  for (const make of [json, msgpack]) {
    const [codec, open] = [make(schema, { validate }), make()]
    const goodBytes = encodeAnything(open, good)
    expect(encodeAnything(codec, good)).toEqual(goodBytes)
    expect(codec.decode(goodBytes)).toEqual(good)

    const badBytes = encodeAnything(open, bad)
    expect(resultOrCode(() => encodeAnything(codec, bad))).toEqual(sending ? 'ENCODE_FAILED' : badBytes)
    expect(resultOrCode(() => codec.decode(badBytes))).toEqual(receiving ? 'INVALID_MESSAGE' : bad)
  }
})

test.each(libraries)('json: names the field that %s refuses to send', (_, schema) => {
  const error = codecError('ENCODE_FAILED', () => encodeAnything(json(schema, { validate: 'both' }), bad))
  expect(error).toMatchObject({ side: 'local', fatal: false, issues: [{ path: ['symbols', 1] }] })
  expect(error.message).toMatch(/^symbols\[1\]: /)
})

test('json: sends a message that was checked as it is', () => {
  const schema = z.object({ a: z.string().trim(), b: z.number().default(1) })
  const codec = json(schema, { validate: 'both' })
  const sent = encodeAnything(codec, { a: ' x ', extra: true })
  expect(json().decode(sent)).toEqual({ a: ' x ', extra: true })
  expect(codec.decode(sent)).toEqual({ a: 'x', b: 1 })
})

const date = z.codec(z.iso.datetime(), z.date(), {
  decode: (text) => new Date(text),
  encode: (value) => value.toISOString(),
})

test.each(modes)('json, msgpack: convert both ways where validate is %s', (validate) => {
  const schema = z.object({ at: date })
  for (const codec of [json(schema, { validate }), msgpack(schema, { validate })]) {
    expect(codec.decode(encodeAnything(codec, { at: new Date(0) }))).toEqual({ at: new Date(0) })
    codecError('ENCODE_FAILED', () => encodeAnything(codec, { at: 'now' }))
    codecError('INVALID_MESSAGE', () =>
      codec.decode(encodeAnything(codec.name === 'json' ? json() : msgpack(), { at: 1 })),
    )
  }
})

const asynchronous = {
  zod: z.string().refine(() => Promise.resolve(true)),
  valibot: v.pipeAsync(
    v.string(),
    v.checkAsync(() => Promise.resolve(true)),
  ),
}

test.each(Object.entries(asynchronous))(
  'json: refuses a schema of %s that answers with a promise',
  (library, schema) => {
    const codec = json<string>(schema, { validate: 'both' })
    for (const run of [() => encodeAnything(codec, 'x'), () => codec.decode(encodeAnything(json(), 'x'))]) {
      const error = codecError('ASYNC_SCHEMA', run)
      expect(error).toMatchObject({ side: 'local', fatal: false })
      expect(error.message).toContain(`the ${library} schema validates with a promise`)
    }
    const unchecked = json<string>(schema, { validate: 'none' })
    expect(unchecked.decode(encodeAnything(unchecked, 'x'))).toBe('x')
  },
)

test.each(['always', null, 1])('json, converter: refuse %o as a value of validate', (validate) => {
  const options = { validate: validate as 'both' }
  expect(() => json(z.string(), options)).toThrow(failing('INVALID_CODEC'))
  expect(() => msgpack(z.string(), options)).toThrow(failing('INVALID_CODEC'))
  expect(() => converter(z.string(), options)).toThrow(failing('INVALID_CODEC'))
})
