import { describe, reasonOf } from './describe.ts'
import { CodecError, type CodecIssue } from './errors.ts'

/**
 * The part of Standard Schema, version 1, that codecs use. zod, valibot, arktype and others implement it. See
 * https://standardschema.dev.
 *
 * @typeParam Input - what the schema accepts.
 * @typeParam Output - what it hands out: the same, or with defaults filled in, trimmed, branded.
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a schema says about a value: the message, or what is wrong with it. */
export type SchemaResult<Output> =
  { readonly value: Output; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] }

/** One thing that a schema has against a value, as the schema's library puts it. */
export interface SchemaIssue {
  readonly message: string
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/**
 * A schema of messages of type `T`. What it hands out must be something that it accepts, since what one side sends is
 * what the other side validates: fields with defaults are fine, a one-way transform such as
 * `z.string().transform(Number)` is a compile error.
 *
 * A function that takes any such schema has both type parameters: `<T extends I, I>(schema: Schema<T, I>)`.
 *
 * @typeParam T - the message: the schema's output.
 * @typeParam I - the schema's input, which `T` must be assignable to.
 */
export type Schema<T extends I, I = T> = StandardSchema<I, T>

/** How many issues a {@link CodecError} keeps. A message can be wrong in a million places. */
const MAX_ISSUES = 100

/** How much of a text that the other side may have chosen goes into an error message. Unit: UTF-16 units. */
const MAX_QUOTE = 200

/** Deeper than any sensible message, and far from where recursion ends. Unit: levels. */
const MAX_SCHEMA_DEPTH = 500

/**
 * Makes a function that returns its argument as the schema hands it out, or throws. For codecs of your own.
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
  const standard = standardPart(schema)
  return (value) => {
    const result = validate(standard, value)
    if (result.issues !== undefined) throw invalidMessage(result.issues)
    return result.value
  }
}

/** {@link validator}, or trust where there is no schema. */
export function optionalValidator<T>(schema: StandardSchema<unknown, T> | undefined): (value: unknown) => T {
  if (schema !== undefined) return validator<T, unknown>(schema)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- without a schema, the caller vouches for T
  return (value) => value as T
}

function standardPart<T>(schema: StandardSchema<unknown, T>): StandardSchema<unknown, T>['~standard'] {
  const standard = (schema as Partial<typeof schema> | null)?.['~standard']
  if (typeof standard?.validate === 'function') return standard
  throw new CodecError('INVALID_CODEC', `expected a schema that speaks Standard Schema, got ${describe(schema)}`)
}

function validate<T>(standard: StandardSchema<unknown, T>['~standard'], value: unknown): SchemaResult<T> {
  let promise
  try {
    const result = standard.validate(value)
    if (!('then' in result)) return result
    promise = result
  } catch (cause) {
    throw new CodecError('INVALID_MESSAGE', `the schema threw: ${quote(reasonOf(cause))}`, { cause })
  }
  throw refusePromise(promise, standard.vendor, value)
}

function refusePromise(promise: Promise<unknown>, vendor: string, value: unknown): CodecError {
  promise.then(undefined, () => {})
  // zod starts over with a promise when its synchronous run throws, be it only for want of stack.
  if (isDeeperThan(value, MAX_SCHEMA_DEPTH)) {
    return new CodecError('INVALID_MESSAGE', `the message is nested deeper than ${MAX_SCHEMA_DEPTH} levels`)
  }
  const why = 'validates with a promise, or throws from a check; a codec needs the answer at once'
  return new CodecError('ASYNC_SCHEMA', `the ${vendor} schema ${why}`)
}

function isDeeperThan(value: unknown, limit: number): boolean {
  let level: unknown[] = [value]
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > limit) return true
    level = level.flatMap((item) => (typeof item === 'object' && item !== null ? Object.values(item) : []))
  }
  return false
}

function invalidMessage(found: readonly SchemaIssue[]): CodecError {
  const issues = found.slice(0, MAX_ISSUES).map(normalise)
  const [first] = issues
  const text = first === undefined ? 'the schema refused it' : `${fieldName(first.path)}: ${quote(first.message)}`
  const more = found.length > 1 ? ` (and ${found.length - 1} more)` : ''
  return new CodecError('INVALID_MESSAGE', text + more, { issues })
}

function normalise({ message, path = [] }: SchemaIssue): CodecIssue {
  return { message, path: path.map((segment) => (typeof segment === 'object' ? segment.key : segment)) }
}

/** A path as one would write it in code: `orders[0].price`, `labels["a b"]`. */
function fieldName(path: readonly PropertyKey[]): string {
  if (path.length === 0) return 'message'
  let name = ''
  for (const key of path.slice(0, MAX_QUOTE)) name += fieldStep(key, name === '')
  return quote(name)
}

function fieldStep(key: PropertyKey, isFirst: boolean): string {
  if (typeof key === 'string' && /^[A-Za-z_$][\w$]*$/.test(key)) return isFirst ? key : `.${key}`
  return `[${typeof key === 'string' ? JSON.stringify(key) : String(key)}]`
}

function quote(text: string): string {
  return text.length <= MAX_QUOTE ? text : `${text.slice(0, MAX_QUOTE)}…`
}
