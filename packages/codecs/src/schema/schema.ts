import type { Carrier } from '../core/carrier.ts'
import { describe, quote, reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import { issuesError } from './issues.ts'
import type { SchemaResult, StandardSchema } from './standard.ts'
import { isAsyncInZod, zodDirections } from './zod.ts'
import type { OneWay } from './zod-types.ts'

/**
 * A schema of messages of type `T`. It must accept its own output, since the receiver validates what the sender's
 * program has as output. Fields with defaults are fine. A one-way transform such as `z.string().transform(Number)` is a
 * compile error. zod's codecs can convert types: see {@link TwoWay}.
 *
 * A function that accepts any such schema has both type parameters: `<T extends I, I>(schema: Schema<T, I>)`.
 *
 * @typeParam T - the message: the schema's output.
 * @typeParam I - the schema's input, which `T` must be assignable to.
 */
export type Schema<T extends I, I = T> = StandardSchema<I, T>

/**
 * Any schema that goes both ways: a {@link Schema}, or a zod schema that changes types only by codecs (`z.codec`,
 * `z.stringbool`). A schema with a one-way transform is not assignable to this type.
 *
 * @example
 * function either<S extends StandardSchema>(schema: TwoWay<S>): Codec<OutputOf<S>> {
 *   return oneOf(msgpack<S>(schema), json<S>(schema))
 * }
 */
export type TwoWay<S extends StandardSchema> = S & (IsTwoWay<S> extends true ? unknown : NoWayBack)

type IsTwoWay<S extends StandardSchema> = S extends { readonly _zod: unknown }
  ? [OneWay<S>] extends [never]
    ? true
    : false
  : [OutputOf<S>] extends [InputOf<S>]
    ? true
    : false

/** Explains, in a compile error, that a schema has a one-way transform. At run time, the codec names its path. */
export interface NoWayBack {
  readonly 'a transform that goes one way only; use z.codec': never
}

/** The messages of a schema: its output. */
export type OutputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']

type InputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input']

/** The options of a codec with a schema. */
export interface SchemaOptions {
  /**
   * Which side checks messages against the schema. Default: `receive`.
   *
   * - `receive`: the receiver. The sender trusts its own messages.
   * - `both`: the sender too. An invalid message is not sent: `ENCODE_FAILED`.
   * - `none`: neither side. The type of received messages is then unchecked.
   *
   * A zod schema with codecs converts on both sides, and therefore always checks on both.
   */
  readonly validate?: 'receive' | 'both' | 'none' | undefined
}

/** Converts messages between a program and a format such as JSON, and validates them. */
export interface Converter<T> {
  /** Returns the value to write for a message: the message itself, or the result of the schema's codecs. */
  encode(message: T): unknown
  /** Returns the message for a value that was read. */
  decode(value: unknown): T
}

/** Deeper than any sensible message, and far from a stack overflow. Unit: levels. */
const maxSchemaDepth = 500

/**
 * Makes a function that returns the schema's output for its argument, or throws. It is for custom codecs. A custom
 * codec that supports zod's codecs uses {@link converter}.
 *
 * @throws CodecError from `validator` itself: `INVALID_CODEC` when `schema` is not a Standard Schema. From the
 *   function: `INVALID_MESSAGE` with at most 100 `issues` when the value is invalid, or with the `cause` when the
 *   schema throws. `ASYNC_SCHEMA` when the schema returns a promise, since a codec cannot wait.
 *
 * @example
 * const check = validator(z.object({ symbol: z.string() }))
 * check({ symbol: 'SAP' }) // { symbol: 'SAP' }
 * check({ symbol: 7 })     // CodecError INVALID_MESSAGE: symbol: Invalid input: expected string, received number
 */
export function validator<T extends I, I = T>(schema: Schema<T, I>): (value: unknown) => T {
  return converter<T, I>(schema).decode
}

/**
 * Makes a converter as `json` and `msgpack` do with their schema. It is for custom codecs.
 *
 * @throws CodecError from `converter` itself: `INVALID_CODEC` when `schema` is not a Standard Schema, when `validate`
 *   is invalid, and when a zod schema has a part that goes one way only, with its path: `orders[].at: a transform that
 *   goes one way only; use z.codec`. `ASYNC_SCHEMA` for a `z.promise` or an `async` codec. From `decode`:
 *   `INVALID_MESSAGE` with at most 100 `issues` when the value is invalid, or with the `cause` when the schema throws.
 *   `ASYNC_SCHEMA` when the schema returns a promise. From `encode`, if it runs the schema: `ENCODE_FAILED` and
 *   `ASYNC_SCHEMA` in the same cases.
 *
 * @example
 * const isoDate = z.codec(z.iso.datetime(), z.date(), {
 *   decode: (text) => new Date(text),
 *   encode: (date) => date.toISOString(),
 * })
 * const orders = converter(z.object({ at: isoDate }))
 * orders.encode({ at: new Date(0) })                // { at: '1970-01-01T00:00:00.000Z' }
 * orders.decode({ at: '1970-01-01T00:00:00.000Z' }) // { at: new Date(0) }
 */
export function converter<T extends I, I = T>(schema: Schema<T, I>, options?: SchemaOptions): Converter<T>
export function converter<S extends StandardSchema>(schema: TwoWay<S>, options?: SchemaOptions): Converter<OutputOf<S>>
export function converter<T>(schema: StandardSchema<unknown, T>, options?: SchemaOptions): Converter<T> {
  return converterFor(undefined, schema, options)
}

/** {@link converter} for a format that cannot carry every type. */
function converterFor<T>(
  carrier: Carrier | undefined,
  schema: StandardSchema<unknown, T>,
  options: SchemaOptions = {},
): Converter<T> {
  const { validate = 'receive' } = options
  if (!['receive', 'both', 'none'].includes(validate)) {
    throw new CodecError('INVALID_CODEC', `validate must be 'receive', 'both' or 'none', not ${describe(validate)}`)
  }
  const { vendor, ...directions } = directionsOf(schema, carrier)
  const restore = directions.restore ?? identity
  const check = validating(directions.decode, vendor, 'INVALID_MESSAGE')
  const decode: Transform = directions.restore === undefined ? check : (value) => check(restore(value))
  if (directions.encode !== undefined) {
    return createConverter<T>(validating(directions.encode, vendor, 'ENCODE_FAILED'), decode)
  }
  if (validate === 'none') return createConverter<T>(identity, restore)
  if (validate === 'receive') return createConverter<T>(identity, decode)
  const assertValid = validating(directions.decode, vendor, 'ENCODE_FAILED')
  // The message itself is sent, since the schema at the other side makes the same changes.
  const encode: Transform = (message) => {
    assertValid(message)
    return message
  }
  return createConverter<T>(encode, decode)
}

/**
 * Makes a converter for a codec whose schema is optional. Without a schema it converts and checks nothing. A schema
 * that is given but `undefined` is an error, since its messages would silently go unchecked: a cycle of imports can
 * cause it.
 */
export function optionalConverter<T>(
  carrier: Carrier,
  ...given: [schema?: StandardSchema<unknown, T> | undefined, options?: SchemaOptions | undefined]
): Converter<T> {
  if (given.length === 0) return createConverter<T>(identity, identity)
  const [schema, options] = given
  if (schema === undefined) throw new CodecError('INVALID_CODEC', 'the schema is undefined')
  return converterFor<T>(carrier, schema, options)
}

/** Returns another value for a message, or throws. */
type Transform = (value: unknown) => unknown

/** One direction of a schema, as its library runs it. */
type Validate = (value: unknown) => SchemaResult<unknown> | Promise<SchemaResult<unknown>>

type SchemaErrorCode = 'ENCODE_FAILED' | 'INVALID_MESSAGE'

const identity: Transform = (value) => value

function createConverter<T>(encode: Transform, decode: Transform): Converter<T> {
  // `decode` returns the output of the schema. Without a check, the caller vouches for T.
  return { encode, decode: decode as (value: unknown) => T }
}

interface Directions {
  readonly vendor: string
  readonly decode: Validate
  readonly encode?: Validate
  readonly restore?: Transform
}

/** Returns how to run a schema: by zod's own functions, or by those of Standard Schema, which goes one way only. */
function directionsOf(schema: StandardSchema, carrier: Carrier | undefined): Directions {
  const standard = (schema as Partial<StandardSchema> | null)?.['~standard']
  if (typeof standard?.validate === 'function') {
    const directions = zodDirections(schema, carrier) ?? { decode: (value: unknown) => standard.validate(value) }
    return { vendor: standard.vendor, ...directions }
  }
  throw new CodecError('INVALID_CODEC', `expected a schema that speaks Standard Schema, got ${describe(schema)}`)
}

/** Runs a schema, and throws an error of `code` for an invalid message. */
function validating(validate: Validate, vendor: string, code: SchemaErrorCode): Transform {
  return (value) => {
    const result = runSchema(validate, value, vendor, code)
    if (result.issues !== undefined) throw issuesError(code, result.issues)
    return result.value
  }
}

function runSchema(validate: Validate, value: unknown, vendor: string, code: SchemaErrorCode): SchemaResult<unknown> {
  let promise
  try {
    const result = validate(value)
    if (!('then' in result)) return result
    promise = result
  } catch (cause) {
    if (isAsyncInZod(cause)) throw asyncSchemaError(vendor, cause)
    throw new CodecError(code, `the schema threw: ${quote(reasonOf(cause))}`, { cause })
  }
  promise.then(undefined, () => {})
  // A library may start again with a promise when its synchronous run throws, even if only the stack was too small.
  if (isDeeperThan(value, maxSchemaDepth)) {
    throw new CodecError(code, `the message is nested deeper than ${maxSchemaDepth} levels`)
  }
  throw asyncSchemaError(vendor)
}

function asyncSchemaError(vendor: string, cause?: unknown): CodecError {
  const text = `the ${vendor} schema validates with a promise; a codec needs the answer at once`
  return new CodecError('ASYNC_SCHEMA', text, cause === undefined ? {} : { cause })
}

function isDeeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []))
  }
  return false
}
