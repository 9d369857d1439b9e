/** Random schemas, messages of them, and what is almost a message. */
import * as fc from 'fast-check'
import { z } from 'zod'

/** A schema, and JavaScript values that it may accept. */
export interface SchemaSample {
  readonly schema: z.ZodType
  readonly values: fc.Arbitrary<unknown>
  /** The schema as a program would write it. */
  readonly text: string
}

const strings = fc.oneof(
  fc.string({ maxLength: 12 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ minLength: 28, maxLength: 80 }),
  fc.constantFrom(
    '"',
    '\\',
    '\n',
    '\u0000',
    '\u007f',
    '\u2028',
    '\ud800',
    'a\udc00b',
    '\uFFFD',
    '\uFEFFx',
    'é',
    '日本',
    '🚀',
  ),
  fc.constantFrom('x'.repeat(32), 'x'.repeat(33), `${'x'.repeat(40)}"`, `${'é'.repeat(40)}\ud800`, '\uff0c'.repeat(40)),
)
const decimals = fc
  .tuple(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: 0, max: 9 }))
  .map(([mantissa, digits]) => mantissa / 10 ** digits)
export const numbers = fc.oneof(
  fc.integer(),
  fc.integer({ min: -200, max: 200 }),
  fc.maxSafeInteger(),
  fc.double(),
  decimals,
  fc.integer({ min: -9, max: 9 }).chain((near) => fc.integer({ min: 0, max: 22 }).map((power) => 10 ** power + near)),
  fc.constantFrom(0, -0, 2 ** 31, -(2 ** 31), 2 ** 53, 2 ** 53 + 2, 1e21, 1e-7, 1e-6, 5e-324, 1.7976931348623157e308),
  fc.constantFrom(Number.NaN, Infinity, -Infinity),
)
const names = fc.oneof(
  fc.stringMatching(/^[a-z]{1,6}$/),
  fc.constantFrom(
    '',
    '0',
    '17',
    'a b',
    '"',
    'é',
    '日本',
    '\u2028',
    '\ud800',
    "'+alert(1)+'",
    '`${x}`',
    'toJSONs',
    '\\',
  ),
)
const literals = fc.oneof(strings, fc.boolean(), fc.constant(null), fc.integer(), decimals)

const leaf = (text: string, schema: z.ZodType, values: fc.Arbitrary<unknown>): SchemaSample => ({
  text,
  schema,
  values,
})
const dates = z.codec(z.iso.datetime(), z.date(), {
  decode: (date) => new Date(date),
  encode: (date) => date.toISOString(),
})
const leaves: fc.Arbitrary<SchemaSample> = fc.oneof(
  { arbitrary: fc.constant(leaf('z.string()', z.string(), strings)), weight: 4 },
  { arbitrary: fc.constant(leaf('z.number()', z.number(), numbers)), weight: 4 },
  fc.constantFrom(
    leaf('z.int()', z.int(), numbers),
    leaf('z.int32()', z.int32(), fc.integer()),
    leaf('z.uint32()', z.uint32(), fc.nat()),
    leaf('z.number().min(0).lt(100)', z.number().min(0).lt(100), numbers),
    leaf('z.number().multipleOf(2)', z.number().multipleOf(2), fc.integer()),
    leaf('z.string().min(2).max(5)', z.string().min(2).max(5), fc.string({ maxLength: 6 })),
    leaf('z.string().trim()', z.string().trim(), fc.constantFrom('a ', 'b')),
    leaf('z.coerce.number()', z.coerce.number(), fc.oneof(numbers, fc.constantFrom('5', true))),
    leaf('z.boolean()', z.boolean(), fc.boolean()),
    leaf('z.null()', z.null(), fc.constant(null)),
    leaf('z.email()', z.email(), fc.constantFrom('a@example.com', 'b')),
    leaf('dates', dates, fc.constantFrom(new Date(0), new Date(1e12))),
    leaf('z.stringbool()', z.stringbool(), fc.boolean()),
    leaf('z.any()', z.any(), fc.jsonValue()),
    leaf('z.date() coerced', z.coerce.date(), fc.constantFrom(new Date(0))),
  ),
  fc.uniqueArray(literals, { minLength: 1, maxLength: 5 }).map((all) => {
    const text = `z.literal(${JSON.stringify(all)})`
    return leaf(text, z.literal(all as [string]), fc.constantFrom(...all))
  }),
  fc.uniqueArray(strings, { minLength: 1, maxLength: 20 }).map((all) => {
    return leaf(`z.enum(${JSON.stringify(all)})`, z.enum(all as [string]), fc.constantFrom(...all))
  }),
)

type Wrapper = readonly [name: string, wrap: (schema: z.ZodType) => z.ZodType, more?: unknown]
const wrappers: readonly Wrapper[] = [
  ['nullable', (schema) => schema.nullable(), null],
  ['optional', (schema) => schema.optional(), undefined],
  ['nullish', (schema) => schema.nullish(), undefined],
  ['default', (schema) => schema.default('default'), undefined],
  ['catch', (schema) => schema.catch('caught'), undefined],
  ['readonly', (schema) => schema.readonly()],
  ['describe', (schema) => schema.describe('described')],
  ['brand', (schema) => schema.brand('branded')],
  ['refine', (schema) => schema.refine((value) => value !== 'x' && value !== 1, 'refused')],
]
const unknownKeys = [
  ['z.object', (shape: z.core.$ZodLooseShape) => z.object(shape)],
  ['z.strictObject', (shape: z.core.$ZodLooseShape) => z.strictObject(shape)],
  ['z.looseObject', (shape: z.core.$ZodLooseShape) => z.looseObject(shape)],
] as const

const show = (fields: readonly (readonly [string, SchemaSample])[]): string =>
  fields.map(([name, { text }]) => `${JSON.stringify(name)}: ${text}`).join(', ')

/** A message with these fields. Some are left out, come in another order, or are joined by others. */
function fieldValues(fields: readonly (readonly [string, SchemaSample])[], odd: number): fc.Arbitrary<unknown> {
  const entries = fc.tuple(
    ...fields.map(([name, { values }]) =>
      fc.tuple(
        fc.constant(name),
        fc.oneof({ arbitrary: values, weight: odd }, { arbitrary: fc.constant(undefined), weight: 1 }),
      ),
    ),
  )
  const sane = entries.map((all) =>
    Object.fromEntries(all.filter(([, value], index) => value !== undefined || index % 3 > 0)),
  )
  const more = fc.tuple(entries, fc.dictionary(names, fc.jsonValue({ maxDepth: 0 }), { maxKeys: 1 }), fc.boolean())
  const strange = more.map(([all, others, first]) =>
    Object.fromEntries(first ? [...Object.entries(others), ...all] : [...all.toReversed(), ...Object.entries(others)]),
  )
  return fc.oneof({ arbitrary: sane, weight: odd }, { arbitrary: strange, weight: 1 })
}

const objects = (fields: fc.Arbitrary<SchemaSample>, odd: number): fc.Arbitrary<SchemaSample> =>
  fc
    .tuple(
      fc.uniqueArray(fc.tuple(names, fields), { maxLength: 5, selector: ([name]) => name }),
      fc.constantFrom(...unknownKeys),
    )
    .map(([all, [name, make]]) => ({
      text: `${name}({ ${show(all)} })`,
      schema: make(Object.fromEntries(all.map(([key, { schema }]) => [key, schema]))),
      values: fieldValues(all, odd),
    }))

/** A union that a literal decides, as one with a discriminator or without. */
const decided = (fields: fc.Arbitrary<SchemaSample>): fc.Arbitrary<SchemaSample> =>
  fc.tuple(fc.array(fields, { minLength: 2, maxLength: 3 }), fc.boolean()).map(([all, isDiscriminated]) => {
    const options = all.map((sample, index) => {
      const kind = leaf(`z.literal('${index}')`, z.literal(`${index}`), fc.constant(`${index}`))
      return [
        ['kind', kind],
        ['value', sample],
      ] as const
    })
    const schemas = options.map(([[, kind], [, value]]) => z.object({ kind: kind.schema, value: value.schema }))
    return {
      text: `${isDiscriminated ? 'discriminated ' : ''}union of ${options.map(show).join(' | ')}`,
      schema: isDiscriminated ? z.discriminatedUnion('kind', schemas as never) : z.union(schemas),
      values: fc.oneof(...options.map((option) => fieldValues(option, 20))),
    }
  })

/** Random schemas. Of the messages, one of about `odd` is not as the schema says. */
export const schemaSamples = (odd: number): fc.Arbitrary<SchemaSample> => {
  const { schemas } = fc.letrec<{ schemas: SchemaSample }>((tie) => {
    const inner = tie('schemas')
    return {
      schemas: fc.oneof(
        { maxDepth: 3, withCrossShrink: true },
        leaves,
        objects(inner, odd),
        objects(inner, odd),
        decided(inner),
        fc.tuple(inner, fc.constantFrom(...wrappers)).map(([{ text, schema, values }, [name, wrap, ...more]]) => ({
          text: `${text}.${name}()`,
          schema: wrap(schema),
          values: fc.oneof({ arbitrary: values, weight: 2 }, ...more.map((one) => fc.constant(one))),
        })),
        inner.map(({ text, schema, values }) => ({
          text: `z.array(${text})`,
          schema: z.array(schema),
          values: fc.array(values, { maxLength: 4 }),
        })),
        inner.map(({ text, schema, values }) => ({
          text: `z.array(${text}).min(1).max(3)`,
          schema: z.array(schema).min(1).max(3),
          values: fc.array(values, { maxLength: 4 }),
        })),
        inner.map(({ text, schema, values }) => ({
          text: `z.record(z.string(), ${text})`,
          schema: z.record(z.string(), schema),
          values: fc.dictionary(fc.oneof(names, fc.constant('__proto__')), values, {
            maxKeys: 4,
            noNullPrototype: true,
          }),
        })),
        fc.array(inner, { maxLength: 3 }).map((all) => ({
          text: `z.tuple([${all.map(({ text }) => text).join(', ')}])`,
          schema: z.tuple(all.map(({ schema }) => schema) as [z.ZodType]),
          values: fc.tuple(...all.map(({ values }) => values)),
        })),
        fc.array(inner, { minLength: 1, maxLength: 3 }).map((all) => ({
          text: `z.union([${all.map(({ text }) => text).join(', ')}])`,
          schema: z.union(all.map(({ schema }) => schema)),
          values: fc.oneof(...all.map(({ values }) => values)),
        })),
      ),
    }
  })
  return schemas
}
