import type { Carrier } from '../core/carrier.ts'
import { reasonOf } from '../core/describe.ts'
import { CodecError } from '../core/errors.ts'
import { fieldStep } from './issues.ts'
import type { SchemaResult } from './standard.ts'

// All that is known of zod 4, which is no dependency: its schemas are told by their `_zod`.

/** The parts of a zod schema that go one way only; `never` when there is none. It looks ten levels deep; the run-time check looks at all. */
export type OneWay<S, Depth extends 0[] = []> = Depth['length'] extends 10
  ? never
  : S extends { readonly _zod: { readonly def: infer Def } }
    ? Def extends { readonly type: 'transform' | 'success' }
      ? S
      : PipeMismatch<Def> | OneWay<PartsOf<Def>, [...Depth, 0]>
    : never

type PartsOf<Def> =
  | (Def extends { readonly shape: infer Shape } ? Shape[keyof Shape] : never)
  | (Def extends { readonly items: readonly (infer Inner)[] } ? Inner : never)
  | (Def extends { readonly options: readonly (infer Inner)[] } ? Inner : never)
  | (Def extends { readonly getter: () => infer Inner } ? Inner : never)
  | {
      [Key in keyof Def]: Key extends SinglePart ? Def[Key] : never
    }[keyof Def]

type SinglePart = 'element' | 'rest' | 'keyType' | 'valueType' | 'left' | 'right' | 'innerType' | 'in' | 'out'

/** A pipe without functions goes back when what comes out may go in: not so from a string to `z.coerce.number()`. */
type PipeMismatch<Def> = Def extends { readonly reverseTransform: unknown }
  ? never
  : Def extends { readonly in: { readonly _zod: infer In }; readonly out: { readonly _zod: infer Out } }
    ? In extends { readonly output: infer Middle }
      ? Out extends (Out extends Primitive ? { readonly output: Middle } : { readonly input: Middle })
        ? never
        : Def
      : never
    : never

/** What a coercing schema accepts is no matter: what it hands out comes back. */
type Primitive = { readonly def: { readonly type: 'string' | 'number' | 'boolean' | 'bigint' | 'date' } }

/** What codecs use of a zod schema as it is when the program runs. */
interface RunningSchema {
  readonly _zod: {
    readonly def: Definition
    readonly innerType?: RunningSchema
    /** Which literals each field has, where it has such. */
    readonly propValues?: Readonly<Record<string, ReadonlySet<unknown>>>
  }
  readonly safeParse?: (value: unknown, context?: RunContext) => ZodResult
  readonly safeEncode?: (value: unknown, context?: RunContext) => ZodResult
}

interface RunContext {
  readonly direction?: 'backward'
  readonly jitless?: boolean
}

type ZodResult =
  | { readonly success: true; readonly data: unknown }
  | {
      readonly success: false
      readonly error: { readonly issues: readonly { message: string; path: PropertyKey[] }[] }
    }

/** What a schema was defined with: which of these depends on its type. */
interface Definition {
  readonly type: string
  readonly shape?: Readonly<Record<string, RunningSchema>>
  readonly catchall?: RunningSchema
  readonly element?: RunningSchema
  readonly items?: readonly RunningSchema[]
  readonly rest?: RunningSchema | null
  readonly keyType?: RunningSchema
  readonly valueType?: RunningSchema
  readonly options?: readonly RunningSchema[]
  /** The field that tells the options of a union apart. */
  readonly discriminator?: string
  readonly left?: RunningSchema
  readonly right?: RunningSchema
  readonly innerType?: RunningSchema
  readonly in?: RunningSchema
  readonly out?: RunningSchema
  /** The functions of a codec, whose `type` is `pipe` like that of other pipes. */
  readonly transform?: unknown
  readonly reverseTransform?: unknown
  readonly coerce?: boolean
  /** Of literals. */
  readonly values?: readonly unknown[]
}

/** How a zod schema is run, in the two directions. Both throw what the program's own functions throw. */
export interface ZodRuns {
  /** From what was received to the message. */
  readonly decode: (value: unknown) => SchemaResult<unknown>
  /** From the message to what is sent. Only where the schema changes anything that it has to change back. */
  readonly encode?: (value: unknown) => SchemaResult<unknown>
  /** Makes of what was read what the format could not keep apart, before it is validated. Only where the schema needs it. */
  readonly restore?: (value: unknown) => unknown
}

/** How many parts of a schema are looked at: lazy ones can make new parts for ever. */
const MAX_PARTS = 10_000

/**
 * How to run `schema`, if it is zod's.
 *
 * @param carrier - the format that messages travel in, if it is known.
 *
 * @throws CodecError `INVALID_CODEC` with the path of a part that goes one way only, or that the format can't carry;
 *   `ASYNC_SCHEMA` with that of one that is asynchronous for certain.
 */
export function zodRuns(schema: unknown, carrier?: Carrier): ZodRuns | undefined {
  if (!isZod(schema)) return undefined
  const { isTwoWay, hasBigint } = look(schema, carrier)
  const runs = runsOfZod(schema, isTwoWay)
  if (runs === undefined || !hasBigint || carrier?.bigintsAsNumbers !== true) return runs
  return { ...runs, restore: (value) => restored(schema, value, new Map()) }
}

function runsOfZod(schema: RunningSchema, isTwoWay: boolean): ZodRuns | undefined {
  const { safeParse, safeEncode } = schema
  if (safeParse === undefined) {
    if (isTwoWay) throw new CodecError('INVALID_CODEC', 'a schema of zod/v4/core; codecs need one of zod or zod/mini')
    return undefined
  }
  const decode = run((value, context) => safeParse.call(schema, value, context))
  if (!isTwoWay) return { decode }
  if (safeEncode !== undefined)
    return { decode, encode: run((value, context) => safeEncode.call(schema, value, context)) }
  // zod/mini has no such method, and does the same when it is asked like this.
  return {
    decode,
    encode: run((value, context) => safeParse.call(schema, value, { ...context, direction: 'backward' })),
  }
}

function run(ask: (value: unknown, context?: RunContext) => ZodResult): (value: unknown) => SchemaResult<unknown> {
  return (value) => {
    try {
      return standardResult(ask(value))
    } catch (error) {
      // The code that zod generates for an object stumbles over a promise within. Without it, zod says so.
      if (nameOf(error) === 'TypeError') ask(value, { jitless: true })
      throw error
    }
  }
}

/** Also of an error of another realm. */
function nameOf(error: unknown): unknown {
  return (error as { readonly name?: unknown } | null | undefined)?.name
}

/** Whether zod threw `error` because something within a schema is asynchronous. */
export function isAsyncInZod(error: unknown): boolean {
  return reasonOf(error).startsWith('Encountered Promise during synchronous parse')
}

function isZod(schema: unknown): schema is RunningSchema {
  const { _zod: internals } = (schema ?? {}) as Partial<RunningSchema>
  return typeof internals?.def?.type === 'string'
}

function definitionOf({ _zod: internals }: RunningSchema): Definition {
  return internals.def
}

function standardResult(result: ZodResult): SchemaResult<unknown> {
  return result.success ? { value: result.data } : { issues: result.error.issues }
}

interface Part {
  readonly schema: RunningSchema
  /** Where it is in a message: `orders[].at`. Empty for the message itself. */
  readonly path: string
  /** Whether values of this part travel: not so what a codec makes of them. */
  readonly travels: boolean
  /** Whether it is an item of an array, of which none can be left out. */
  readonly isItem?: boolean
}

/** Looks at every part of a schema, nearest first. Returns whether there is a codec among them, and a bigint that travels. */
function look(root: RunningSchema, carrier: Carrier | undefined): { isTwoWay: boolean; hasBigint: boolean } {
  let isTwoWay = false
  let hasBigint = false
  let lost: string | undefined
  // A part may travel in one place, and be made by a codec in another.
  const seen = { travelling: new Set([root]), made: new Set<RunningSchema>() }
  const parts: Part[] = [{ schema: root, path: '', travels: true }]
  for (const part of parts) {
    const def = definitionOf(part.schema)
    refuseOneWay(part, def)
    if (part.travels) {
      lost ??= carrier && lossOf(part, def, carrier)
      if (isBigint(def)) hasBigint = true
    }
    if (def.reverseTransform !== undefined) isTwoWay = true
    for (const next of partsOf(part, def)) {
      const before = next.travels ? seen.travelling : seen.made
      if (before.has(next.schema) || parts.length >= MAX_PARTS) continue
      before.add(next.schema)
      parts.push(next)
    }
  }
  if (lost !== undefined) throw new CodecError('INVALID_CODEC', lost)
  return { isTwoWay, hasBigint }
}

/** Says what would arrive as something else, which the schema would then refuse at the other side. */
function lossOf({ path, isItem }: Part, def: Definition, carrier: Carrier): string | undefined {
  const say = (what: string): string =>
    `${path === '' ? 'message' : path}: ${what}, which ${carrier.name} can't carry; use z.codec`
  // What is coerced is made again of what arrived.
  const isMadeAgain = def.type === 'date' && def.coerce === true
  const type = isBigint(def) ? 'bigint' : def.type
  if (carrier.lost.has(type) && !isMadeAgain) return say(def.type === 'literal' ? 'a literal bigint' : `a z.${type}`)
  const acceptsNull = def.innerType !== undefined && definitionOf(def.innerType).type === 'nullable'
  const isUndefined = (type === 'optional' || type === 'undefined') && !acceptsNull
  return isItem === true && isUndefined ? say('an item that is undefined') : undefined
}

function isBigint(def: Definition): boolean {
  return (
    def.type === 'bigint' || (def.type === 'literal' && def.values?.some((one) => typeof one === 'bigint') === true)
  )
}

/**
 * What unions made of which parts of the message. Options that are tried one after the other may share what is within them: without
 * this, each level of a recursive schema would double the work for the next.
 */
type Known = Map<RunningSchema, Map<unknown, unknown>>

/** The value with bigints in the places of numbers where the schema has bigints. What has none is left as it is. */
function restored(schema: RunningSchema, value: unknown, known: Known): unknown {
  const def = definitionOf(schema)
  switch (def.type) {
    case 'bigint':
    case 'literal':
      return isBigint(def) ? asBigint(def, value) : value
    case 'object':
      return changed(value, (part, key) => {
        const own = def.shape !== undefined && Object.hasOwn(def.shape, key) ? def.shape[key] : undefined
        return within(own ?? def.catchall, part, known)
      })
    case 'record':
      return changed(value, (part) => within(def.valueType, part, known))
    case 'array':
      return Array.isArray(value) ? value.map((item) => within(def.element, item, known)) : value
    case 'tuple':
      if (!Array.isArray(value)) return value
      return value.map((item, index) => within(def.items?.[index] ?? def.rest ?? undefined, item, known))
    case 'union':
      return restoredUnion(schema, def, value, known)
    case 'intersection':
      return within(def.right, within(def.left, value, known), known)
    case 'pipe':
      return def.reverseTransform === undefined
        ? within(def.out, within(def.in, value, known), known)
        : within(def.in, value, known)
    case 'lazy':
      return restored(resolved(schema), value, known)
    default:
      return within(def.innerType, value, known)
  }
}

function within(schema: RunningSchema | undefined, value: unknown, known: Known): unknown {
  return schema === undefined || value === null || value === undefined ? value : restored(schema, value, known)
}

function asBigint({ values }: Definition, value: unknown): unknown {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || values?.includes(value) === true) return value
  return BigInt(value)
}

function restoredUnion(schema: RunningSchema, def: Definition, value: unknown, known: Known): unknown {
  const told = optionOf(def, value)
  if (told !== undefined) return restored(told, value, known)
  const before = known.get(schema) ?? new Map<unknown, unknown>()
  known.set(schema, before)
  if (!before.has(value)) before.set(value, firstValid(schema, def, value, known))
  return before.get(value)
}

/** The option that the value itself names, of a union that has a field for that. */
function optionOf({ options = [], discriminator }: Definition, value: unknown): RunningSchema | undefined {
  if (discriminator === undefined || typeof value !== 'object' || value === null) return undefined
  const name = (value as Readonly<Record<string, unknown>>)[discriminator]
  return options.find(({ _zod: { propValues } }) => propValues?.[discriminator]?.has(name))
}

/** The first form that is valid, the value as it is before all others: an option with a number keeps it. */
function firstValid(schema: RunningSchema, { options = [] }: Definition, value: unknown, known: Known): unknown {
  if (isValid(schema, value)) return value
  for (const option of options) {
    const candidate = restored(option, value, known)
    if (isValid(option, candidate)) return candidate
  }
  return value
}

function isValid(schema: RunningSchema, value: unknown): boolean {
  try {
    return schema.safeParse?.(value).success === true
  } catch {
    // The schema is asked once more, and then says so.
    return false
  }
}

/** The object, or a copy with other parts where `change` gives others. */
function changed(value: unknown, change: (part: unknown, key: string) => unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return value
  let copy: Record<string, unknown> | undefined
  for (const [key, part] of Object.entries(value)) {
    const next = change(part, key)
    if (next === part) continue
    copy ??= { ...value }
    // Not by an assignment: the key may be `__proto__`.
    Object.defineProperty(copy, key, { value: next, writable: true, enumerable: true, configurable: true })
  }
  return copy ?? value
}

function refuseOneWay({ path }: Part, def: Definition): void {
  const at = path === '' ? 'message' : path
  const refuse = (what: string, instead: string): never => {
    throw new CodecError('INVALID_CODEC', `${at}: ${what} that goes one way only; use ${instead}`)
  }
  if (def.in !== undefined && definitionOf(def.in).type === 'transform') refuse('a preprocess', 'z.codec')
  if (def.type === 'transform') refuse('a transform', 'z.codec, or overwrite where the type stays')
  if (def.type === 'success') refuse('a z.success', 'z.codec')
  if (isCoercingPipe(def)) refuse('a pipe into z.coerce', 'z.codec')
  if (def.type === 'promise' || isAsyncFunction(def.transform) || isAsyncFunction(def.reverseTransform)) {
    throw new CodecError('ASYNC_SCHEMA', `${at}: a promise; a codec needs the answer at once`)
  }
}

function isAsyncFunction(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object AsyncFunction]'
}

/** Whether a pipe makes one primitive type of another, as `z.string().pipe(z.coerce.number())` does. */
function isCoercingPipe(def: Definition): boolean {
  if (def.in === undefined || def.out === undefined || def.reverseTransform !== undefined) return false
  const into = bare(def.out, 'in')
  const from = bare(def.in, 'out')
  return into.coerce === true && from.coerce !== true && primitives.has(from.type) && from.type !== into.type
}

const primitives: ReadonlySet<string> = new Set(['string', 'number', 'boolean', 'bigint', 'date'])

/** What is within wrappers such as `optional`, and at one end of a pipe. */
function bare(schema: RunningSchema, end: 'in' | 'out'): Definition {
  const def = definitionOf(schema)
  const inner = def.innerType ?? def[end]
  return inner === undefined ? def : bare(inner, end)
}

function partsOf({ schema, path, travels }: Part, def: Definition): Part[] {
  const parts: Part[] = []
  const add = (part: RunningSchema | null | undefined, step: string, more: Partial<Part> = {}): void => {
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
    if (def.type === 'lazy') add(resolved(schema), '')
  } catch (cause) {
    const at = path === '' ? 'message' : path
    throw new CodecError('INVALID_CODEC', `${at}: its schema can't be had yet: ${reasonOf(cause)}`, { cause })
  }
  return parts
}

/** What a lazy schema stands for. Its getter may make a new one each time; this is the one that zod keeps. */
function resolved({ _zod: internals }: RunningSchema): RunningSchema {
  const { innerType } = internals
  // Once its getter has thrown, zod has none.
  if (innerType === undefined) throw new TypeError('its getter gave none')
  return innerType
}
