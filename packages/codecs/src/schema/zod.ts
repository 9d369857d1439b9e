import type { Carrier } from '../core/carrier.ts'
import { reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import { fieldStep } from './issues.ts'
import type { SchemaResult } from './standard.ts'
import { restoreBigints } from './zod-bigints.ts'
import { definitionOf, isBigint, isZod, resolveLazy } from './zod-types.ts'
import type { ZodContext, ZodDefinition, ZodResult, ZodSchema } from './zod-types.ts'

/** The two directions of a zod schema. Both throw what the program's own functions throw. */
export interface ZodDirections {
  /** Converts received values to messages. */
  readonly decode: (value: unknown) => SchemaResult<unknown>
  /** Converts messages to values to be sent. Only for schemas with codecs. */
  readonly encode?: (value: unknown) => SchemaResult<unknown>
  /** Restores types that the format does not distinguish, before validation. Only where the schema needs it. */
  readonly restore?: (value: unknown) => unknown
}

/** How many parts of a schema are inspected: lazy ones can make new parts without end. */
const maxParts = 10_000

/**
 * Returns the directions of `schema`, or `undefined` if it is not a schema of zod.
 *
 * @param carrier - the format that messages travel in, if it is known.
 *
 * @throws CodecError `INVALID_CODEC` with the path of a part that goes one way only, or that the format cannot carry.
 *   `ASYNC_SCHEMA` with the path of a part that is certainly asynchronous.
 */
export function zodDirections(schema: unknown, carrier?: Carrier): ZodDirections | undefined {
  if (!isZod(schema)) return undefined
  const { hasCodec, hasBigint } = inspect(schema, carrier)
  const directions = createDirections(schema, hasCodec)
  if (directions === undefined || !hasBigint || carrier?.bigintsAsNumbers !== true) return directions
  return { ...directions, restore: (value) => restoreBigints(schema, value) }
}

function createDirections(schema: ZodSchema, hasCodec: boolean): ZodDirections | undefined {
  const { safeParse, safeEncode } = schema
  if (safeParse === undefined) {
    if (hasCodec) throw new CodecError('INVALID_CODEC', 'a schema of zod/v4/core; codecs need one of zod or zod/mini')
    return undefined
  }
  const decode = standardised((value, context) => safeParse.call(schema, value, context))
  if (!hasCodec) return { decode }
  // zod/mini has no `safeEncode`, and does the same when `safeParse` runs backwards.
  const encode = standardised((value, context) =>
    safeEncode === undefined
      ? safeParse.call(schema, value, { ...context, direction: 'backward' })
      : safeEncode.call(schema, value, context),
  )
  return { decode, encode }
}

/** Makes a function of zod return a result of Standard Schema. */
function standardised(
  parse: (value: unknown, context?: ZodContext) => ZodResult,
): (value: unknown) => SchemaResult<unknown> {
  return (value) => {
    try {
      const result = parse(value)
      return result.success ? { value: result.data } : { issues: result.error.issues }
    } catch (error) {
      // The code that zod generates for an object throws a TypeError at a promise within. Without that code, zod names
      // the promise. The name, since the error may be of another realm.
      const { name } = (error ?? {}) as { readonly name?: unknown }
      if (name === 'TypeError') parse(value, { jitless: true })
      throw error
    }
  }
}

/** Whether zod threw `error` because a part of a schema is asynchronous. */
export function isAsyncInZod(error: unknown): boolean {
  return reasonOf(error).startsWith('Encountered Promise during synchronous parse')
}

interface Part {
  readonly schema: ZodSchema
  /** The location in a message, such as `orders[].at`. Empty for the message itself. */
  readonly path: string
  /** Whether values of this part travel. The output of a codec does not. */
  readonly travels: boolean
  /** Whether the part is an item of an array. An item cannot be left out. */
  readonly isItem?: boolean
}

/** Inspects every part of a schema, breadth first. Returns whether it contains a codec, and a bigint that travels. */
function inspect(root: ZodSchema, carrier: Carrier | undefined): { hasCodec: boolean; hasBigint: boolean } {
  let hasCodec = false
  let hasBigint = false
  let loss: string | undefined
  // A part can travel in one place and be the output of a codec in another.
  const seen = { travelling: new Set([root]), converted: new Set<ZodSchema>() }
  const parts: Part[] = [{ schema: root, path: '', travels: true }]
  for (const part of parts) {
    const def = definitionOf(part.schema)
    assertTwoWay(part, def)
    if (part.travels) {
      loss ??= carrier && describeLoss(part, def, carrier)
      if (isBigint(def)) hasBigint = true
    }
    if (def.reverseTransform !== undefined) hasCodec = true
    for (const next of innerParts(part, def)) {
      const before = next.travels ? seen.travelling : seen.converted
      if (before.has(next.schema) || parts.length >= maxParts) continue
      before.add(next.schema)
      parts.push(next)
    }
  }
  if (loss !== undefined) throw new CodecError('INVALID_CODEC', loss)
  return { hasCodec, hasBigint }
}

/** Names a part whose values would arrive as something else. The receiver's schema would refuse them. */
function describeLoss({ path, isItem }: Part, def: ZodDefinition, carrier: Carrier): string | undefined {
  const say = (what: string): string => `${path || 'message'}: ${what}, which ${carrier.name} can't carry; use z.codec`
  // A coercing date accepts the text that arrives.
  const isCoerced = def.type === 'date' && def.coerce === true
  const type = isBigint(def) ? 'bigint' : def.type
  if (carrier.lost.has(type) && !isCoerced) return say(def.type === 'literal' ? 'a literal bigint' : `a z.${type}`)
  const acceptsNull = def.innerType !== undefined && definitionOf(def.innerType).type === 'nullable'
  const isUndefined = (type === 'optional' || type === 'undefined') && !acceptsNull
  return isItem === true && isUndefined ? say('an item that is undefined') : undefined
}

function assertTwoWay({ path }: Part, def: ZodDefinition): void {
  const at = path || 'message'
  const assertNot = (isOneWay: boolean, what: string, instead = 'z.codec'): void => {
    if (isOneWay) throw new CodecError('INVALID_CODEC', `${at}: ${what} that goes one way only; use ${instead}`)
  }
  assertNot(def.in !== undefined && definitionOf(def.in).type === 'transform', 'a preprocess')
  assertNot(def.type === 'transform', 'a transform', 'z.codec, or overwrite where the type stays')
  assertNot(def.type === 'success', 'a z.success')
  assertNot(isCoercingPipe(def), 'a pipe into z.coerce')
  if (def.type === 'promise' || isAsyncFunction(def.transform) || isAsyncFunction(def.reverseTransform)) {
    throw new CodecError('ASYNC_SCHEMA', `${at}: a promise; a codec needs the answer at once`)
  }
}

function isAsyncFunction(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object AsyncFunction]'
}

/** Whether a pipe converts one primitive type to another, as `z.string().pipe(z.coerce.number())` does. */
function isCoercingPipe(def: ZodDefinition): boolean {
  if (def.in === undefined || def.out === undefined || def.reverseTransform !== undefined) return false
  const into = unwrap(def.out, 'in')
  const from = unwrap(def.in, 'out')
  return into.coerce === true && from.coerce !== true && primitives.has(from.type) && from.type !== into.type
}

const primitives: ReadonlySet<string> = new Set(['string', 'number', 'boolean', 'bigint', 'date'])

/** Removes wrappers such as `optional`, and follows pipes to one end. */
function unwrap(schema: ZodSchema, end: 'in' | 'out'): ZodDefinition {
  const def = definitionOf(schema)
  const inner = def.innerType ?? def[end]
  return inner === undefined ? def : unwrap(inner, end)
}

function innerParts({ schema, path, travels }: Part, def: ZodDefinition): Part[] {
  const parts: Part[] = []
  const add = (part: ZodSchema | null | undefined, step: string, more: Partial<Part> = {}): void => {
    if (part !== undefined && part !== null) parts.push({ schema: part, path: path + step, travels, ...more })
  }
  try {
    for (const [key, part] of Object.entries(def.shape ?? {})) add(part, fieldStep(key, path === ''))
    def.items?.forEach((part, index) => add(part, `[${index}]`))
    def.options?.forEach((part) => add(part, ''))
    add(def.catchall, path === '' ? '*' : '.*')
    add(def.keyType, '(key)')
    add(def.element, '[]', { isItem: def.type === 'array' })
    for (const part of [def.rest, def.valueType]) add(part, '[]')
    for (const part of [def.left, def.right, def.innerType, def.in]) add(part, '')
    add(def.out, '', { travels: travels && def.reverseTransform === undefined })
    if (def.type === 'lazy') add(resolveLazy(schema), '')
  } catch (cause) {
    const text = `${path || 'message'}: its schema is not available yet: ${reasonOf(cause)}`
    throw new CodecError('INVALID_CODEC', text, { cause })
  }
  return parts
}
