import type { Carrier } from '../core/carrier.ts'
import { describe, quote, reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import { refusal } from './issues.ts'
import type { SchemaResult, StandardSchema } from './standard.ts'
import { isAsyncInZod, type OneWay, zodRuns } from './zod.ts'

/**
 * A schema of messages of type `T`. What it hands out must be something that it accepts, since what one side sends is
 * what the other side validates: fields with defaults are fine, a one-way transform such as
 * `z.string().transform(Number)` is a compile error. zod's codecs may make something else of it: see {@link TwoWay}.
 *
 * A function that takes any such schema has both type parameters: `<T extends I, I>(schema: Schema<T, I>)`.
 *
 * @typeParam T - the message: the schema's output.
 * @typeParam I - the schema's input, which `T` must be assignable to.
 */
export type Schema<T extends I, I = T> = StandardSchema<I, T>

/**
 * Any schema that goes both ways: a {@link Schema}, or one of zod in which all that changes type is a codec (`z.codec`,
 * `z.stringbool`). A schema that contains a one-way transform is no argument for a parameter of this type.
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

/** Stands in compile errors for what a schema lacks that contains a transform. Its codec says where, when it is made. */
export interface NoWayBack {
  readonly 'a transform that goes one way only; use z.codec': never
}

/** The messages of a schema: its output. */
export type OutputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['output']

type InputOf<S extends StandardSchema> = NonNullable<S['~standard']['types']>['input']

export interface SchemaOptions {
  /**
   * Where messages are checked against the schema:
   *
   * - `receive`, unless said otherwise: by who receives them. What is sent is trusted.
   * - `both`: also before they are sent, as they are then. One that is refused is not sent: `ENCODE_FAILED`.
   * - `none`: nowhere, which makes the type of what is received a promise that nobody checks.
   *
   * A zod schema with codecs in it runs on both sides whatever this says, since it has to convert; and what it converts,
   * it checks.
   */
  readonly validate?: 'receive' | 'both' | 'none' | undefined
}

/** What a schema does to messages between a program and a format such as JSON. */
export interface Converter<T> {
  /** Gives what is to be written for a message: the message itself, or what the schema's codecs make of it. */
  encode(message: T): unknown
  /** Gives the message for what was read. */
  decode(value: unknown): T
}

/** Deeper than any sensible message, and far from where recursion ends. Unit: levels. */
const MAX_SCHEMA_DEPTH = 500

/**
 * Makes a function that returns its argument as the schema hands it out, or throws. For codecs of your own; one that
 * should take zod's codecs needs {@link converter}.
 *
 * @throws CodecError from `validator` itself: `INVALID_CODEC` when `schema` is not a Standard Schema. From the
 *   function: `INVALID_MESSAGE` with at most 100 `issues` when the schema refuses the value or throws (then with the
 *   `cause`); `ASYNC_SCHEMA` when the schema answers with a promise, which no codec can wait for.
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
 * Makes what `json` and `msgpack` do with a schema, for codecs of your own.
 *
 * @throws CodecError from `converter` itself: `INVALID_CODEC` when `schema` is not a Standard Schema, when `validate` is
 *   none of its values, and when a zod schema has a part that goes one way only, with its path: `orders[].at: a
 *   transform that goes one way only; use z.codec`; `ASYNC_SCHEMA` for a `z.promise` or an `async` codec. From `decode`:
 *   `INVALID_MESSAGE` with at most 100 `issues` when the schema refuses the value or throws (then with the `cause`),
 *   `ASYNC_SCHEMA` when it answers with a promise. From `encode`, where it runs the schema: `ENCODE_FAILED` and
 *   `ASYNC_SCHEMA` likewise.
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
  return converterOf(undefined, schema, options)
}

/** The same for a format of which it is known what it can carry. */
function converterOf<T>(
  carrier: Carrier | undefined,
  schema: StandardSchema<unknown, T>,
  options: SchemaOptions = {},
): Converter<T> {
  const { validate = 'receive' } = options
  if (!['receive', 'both', 'none'].includes(validate)) {
    throw new CodecError('INVALID_CODEC', `validate must be 'receive', 'both' or 'none', not ${describe(validate)}`)
  }
  const runs = runsOf(schema, carrier)
  const vendor = schema['~standard'].vendor
  const restore = runs.restore ?? trust
  const check = checked(runs.decode, vendor, 'INVALID_MESSAGE')
  const decode = runs.restore === undefined ? check : (value: unknown) => check(restore(value))
  if (runs.encode !== undefined) return made<T>(checked(runs.encode, vendor, 'ENCODE_FAILED'), decode)
  if (validate === 'none') return made<T>(trust, restore)
  return made<T>(validate === 'both' ? unchanged(checked(runs.decode, vendor, 'ENCODE_FAILED')) : trust, decode)
}

/**
 * {@link converter}, or trust where no schema is given. One that is given and `undefined`, such as that of a module which a
 * cycle of imports has not reached yet, is refused: nobody would notice that nothing is checked.
 */
export function optionalConverter<T>(
  carrier: Carrier,
  ...given: [schema?: StandardSchema<unknown, T> | undefined, options?: SchemaOptions | undefined]
): Converter<T> {
  if (given.length === 0) return made<T>(trust, trust)
  const [schema, options] = given
  if (schema === undefined) throw new CodecError('INVALID_CODEC', 'the schema is undefined')
  return converterOf<T>(carrier, schema, options)
}

/** What happens to a message on its way, or throws. */
type Step = (value: unknown) => unknown

/** One direction of a schema, as its library runs it. */
type Run = (value: unknown) => SchemaResult<unknown> | Promise<SchemaResult<unknown>>

type RefusalCode = 'ENCODE_FAILED' | 'INVALID_MESSAGE'

const trust: Step = (value) => value

/** A check by which the message stays as it is: the other side's schema will make of it what there is to make. */
function unchanged(check: Step): Step {
  return (value) => {
    check(value)
    return value
  }
}

function made<T>(encode: Step, decode: Step): Converter<T> {
  // What `decode` gives is the schema's output; without a check, the caller vouches for T.
  return { encode, decode: decode as (value: unknown) => T }
}

/** How to run a schema: as zod does, or as the standard has it, which knows no way back. */
function runsOf(
  schema: StandardSchema,
  carrier: Carrier | undefined,
): { readonly decode: Run; readonly encode?: Run; readonly restore?: Step } {
  const standard = (schema as Partial<StandardSchema> | null)?.['~standard']
  if (typeof standard?.validate === 'function') {
    return zodRuns(schema, carrier) ?? { decode: (value) => standard.validate(value) }
  }
  throw new CodecError('INVALID_CODEC', `expected a schema that speaks Standard Schema, got ${describe(schema)}`)
}

/** Runs a schema, and throws an error of `code` for what it refuses. */
function checked(run: Run, vendor: string, code: RefusalCode): Step {
  return (value) => {
    const result = resultOf(run, value, vendor, code)
    if (result.issues !== undefined) throw refusal(code, result.issues)
    return result.value
  }
}

function resultOf(run: Run, value: unknown, vendor: string, code: RefusalCode): SchemaResult<unknown> {
  let promise
  try {
    const result = run(value)
    if (!('then' in result)) return result
    promise = result
  } catch (cause) {
    if (isAsyncInZod(cause)) throw asyncSchema(vendor, cause)
    throw new CodecError(code, `the schema threw: ${quote(reasonOf(cause))}`, { cause })
  }
  promise.then(undefined, () => {})
  // A library may start over with a promise when its synchronous run throws, be it only for want of stack.
  if (isDeeperThan(value, MAX_SCHEMA_DEPTH)) {
    throw new CodecError(code, `the message is nested deeper than ${MAX_SCHEMA_DEPTH} levels`)
  }
  throw asyncSchema(vendor)
}

function asyncSchema(vendor: string, cause?: unknown): CodecError {
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
