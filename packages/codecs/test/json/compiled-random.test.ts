import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { CodecError } from '../../src/index.ts'
import { codecSeed } from '../../src/testing.ts'
import { assertSameReading, assertSameWriting, jsonPair } from '../support/json-pairs.ts'
import type { JsonPair } from '../support/json-pairs.ts'
import { schemaSamples } from '../support/json-shapes.ts'
import type { SchemaSample } from '../support/json-shapes.ts'

/** How many schemas are tried, and from where they are drawn. */
const numRuns = Number(process.env['H2CHANNEL_SCHEMAS'] ?? 300)
const seed = Number(process.env['H2CHANNEL_SEED'] ?? codecSeed)
const validates = ['receive', 'both', 'none'] as const

/** How many schemas were compiled, so that the test cannot pass by compiling none. */
const counts = { schemas: 0, compiled: 0, written: 0, read: 0 }

function pairOf(sample: SchemaSample, validate: (typeof validates)[number]): JsonPair | undefined {
  try {
    const pair = jsonPair(sample.schema, { validate })
    counts.schemas++
    if (pair !== undefined) counts.compiled++
    return pair
  } catch (error) {
    if (error instanceof CodecError && error.code === 'INVALID_CODEC') return undefined
    throw error
  }
}

/** Texts of the message: as it is written, in another form, and changed. */
function textsOf(message: unknown, spoil: readonly (readonly [at: number, by: string])[]): string[] {
  let text: string | undefined
  try {
    text = JSON.stringify(message)
  } catch {}
  if (text === undefined) return []
  const spoilt = spoil.map(([at, by]) => {
    const start = at % (text.length + 1)
    return text.slice(0, start) + by + text.slice(start + (at % 3))
  })
  return [text, JSON.stringify(JSON.parse(text), undefined, 1), `${text} `, text.slice(0, -1), `${text},`, ...spoilt]
}

const pieces = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '"',
    ',',
    ':',
    '{',
    '}',
    '[',
    ']',
    '0',
    '-',
    '.',
    '1',
    'e5',
    'E-3',
    'null',
    'true',
    '\\',
    '\\u0041',
  ),
  fc.constantFrom(
    '\n',
    '\u0000',
    'é',
    '\ud800',
    '01',
    '1.',
    '.5',
    '-0',
    '1e400',
    '123456789012345678',
    '"a":1,',
    ',"b":{}',
  ),
  fc.string({ maxLength: 3 }),
)
const spoils = fc.array(fc.tuple(fc.nat(200), pieces), { maxLength: 6 })

test(`${numRuns} schemas: the compiled codec does what the other one does (seed ${seed})`, () => {
  const run = (
    sample: SchemaSample,
    validate: (typeof validates)[number],
    messages: unknown[],
    spoil: [number, string][],
  ): void => {
    const pair = pairOf(sample, validate)
    if (pair === undefined) return
    for (const message of messages) {
      for (const limit of [Infinity, 1_000, 20]) assertSameWriting(pair, message, limit)
      for (const one of textsOf(message, spoil)) assertSameReading(pair, one)
    }
    counts.written += pair.code.written
    counts.read += pair.code.received
  }
  const samples = schemaSamples(12).chain((sample) =>
    fc.tuple(
      fc.constant(sample),
      fc.constantFrom(...validates),
      fc.array(sample.values, { minLength: 3, maxLength: 6 }),
      spoils,
    ),
  )
  fc.assert(
    fc.property(samples, ([sample, validate, messages, spoil]) => {
      try {
        run(sample, validate, messages, spoil)
      } catch (cause) {
        throw new Error(`${sample.text}, validate ${validate}: ${String(cause)}`, { cause })
      }
    }),
    { numRuns, seed },
  )
  process.stdout.write(`${JSON.stringify(counts)}\n`)
  expect(counts.compiled).toBeGreaterThan(counts.schemas / 3)
})
