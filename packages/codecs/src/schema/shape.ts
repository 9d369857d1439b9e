import { isInherited } from '../core/source.ts'
import { isGenuine } from './genuine.ts'
import { definitionOf, isZod } from './zod-types.ts'
import type { ZodCheck, ZodDefinition, ZodSchema } from './zod-types.ts'

/** What messages look like in JSON. */
export type Shape = ScalarShape | CompositeShape

export type ScalarShape =
  | { readonly kind: 'string' | 'number'; readonly tests: readonly Test[] }
  | { readonly kind: 'boolean' | 'null' }
  | { readonly kind: 'choice'; readonly values: readonly Scalar[] }

export type CompositeShape =
  | { readonly kind: 'object'; readonly fields: readonly ShapeField[] }
  | { readonly kind: 'record'; readonly value: Shape }
  | { readonly kind: 'array'; readonly item: Shape; readonly tests: readonly Test[] }
  | { readonly kind: 'tuple'; readonly items: readonly Shape[] }
  | { readonly kind: 'union'; readonly options: readonly Shape[] }

export interface ShapeField {
  readonly name: string
  readonly shape: Shape
  /** Whether the field may be absent. */
  readonly isOptional: boolean
}

export type Scalar = string | number | boolean | null

/** Compares a number, or the length of a string or an array, with a constant. */
export type Test = readonly [operator: '<' | '<=' | '>' | '>=' | '===', limit: number] | 'integer'

/** The shape of a schema's messages. */
export interface SchemaShape {
  readonly shape: Shape
  /**
   * Whether all JSON of the shape is valid, and is the message that the schema returns, as far as its definition tells.
   */
  readonly isExact: boolean
}

/** More parts and literals would make code that takes long to compile. */
const maxParts = 1_000

/** More text in names and literals would too, since each byte is compared alone. Unit: UTF-16 units. */
const maxText = 8 * 1024

/** With more values than this, a text is read and then looked up. */
export const maxCompared = 16

/**
 * With more fields, writing an object by code takes as long as `JSON.stringify`. The code also keeps the presence of
 * optional fields in the bits of one integer.
 */
const maxFields = 30

/** Returns the shape of a schema's messages on their way, if all of it is known. It is of zod schemas alone. */
export function shapeOf(schema: unknown): SchemaShape | undefined {
  if (!isZod(schema)) return undefined
  const { _zod: internals } = schema
  if (internals.version?.major !== 4) return undefined
  const inspector = new Inspector()
  const shape = inspector.shapeOf(schema)
  if (shape === undefined) return undefined
  return {
    shape,
    // Asked for when there is code: many programs define schemas that they never use.
    get isExact() {
      return inspector.isExact && inspector.used.every(isGenuine)
    },
  }
}

class Inspector {
  isExact = true
  /** The schemas and checks that must be those of zod for the shape to be exact. */
  readonly used: (ZodSchema | ZodCheck)[] = []
  #parts = 0
  #text = 0
  /** `undefined` for a schema that is not inspected completely: one that contains itself. */
  readonly #shapes = new Map<ZodSchema, Shape | undefined>()

  shapeOf(schema: ZodSchema): Shape | undefined {
    if (this.#shapes.has(schema)) return this.#shapes.get(schema)
    this.#shapes.set(schema, undefined)
    if (!this.#hasRoom(1, '')) return undefined
    const def = definitionOf(schema)
    const tests = testsOf(def)
    if (tests === undefined && !isUnchecked(schema)) this.isExact = false
    if (def.coerce === true) this.isExact = false
    this.used.push(schema, ...(def.checks ?? []))
    const shape = this.#shapeOfDefinition(schema, def, tests)
    this.#shapes.set(schema, shape)
    return shape
  }

  /** Counts what the code will consist of. Returns whether it is still little enough. */
  #hasRoom(parts: number, ...texts: readonly unknown[]): boolean {
    this.#parts += parts
    for (const text of texts) this.#text += String(text).length
    return this.#parts <= maxParts && this.#text <= maxText
  }

  #shapeOfDefinition(schema: ZodSchema, def: ZodDefinition, tests: readonly Test[] = []): Shape | undefined {
    switch (def.type) {
      case 'string':
      case 'number':
        return { kind: def.type, tests }
      case 'boolean':
      case 'null':
        return { kind: def.type }
      case 'template_literal':
        this.isExact = false
        return { kind: 'string', tests: [] }
      case 'enum':
      case 'literal':
        return this.#choiceOf(schema)
      case 'array': {
        const item = def.element && this.shapeOf(def.element)
        return item && { kind: 'array', item, tests }
      }
      case 'tuple': {
        const items = def.rest ? undefined : this.#shapesOf(def.items)
        return items && { kind: 'tuple', items }
      }
      case 'record':
        return this.#recordOf(def)
      case 'object':
        return this.#objectOf(def)
      case 'union':
        return this.#unionOf(schema, def)
      case 'nullable': {
        const inner = def.innerType && this.shapeOf(def.innerType)
        return inner && { kind: 'union', options: [{ kind: 'null' }, inner] }
      }
      case 'pipe':
        // What travels is the input. The schema has to make the message of it.
        this.isExact = false
        return def.in && this.shapeOf(def.in)
      case 'readonly':
      case 'catch':
        // The schema freezes it, or accepts all else too, so that a union never comes to its next option.
        this.isExact = false
        return def.innerType && this.shapeOf(def.innerType)
      case 'optional':
      case 'nonoptional':
      case 'default':
      case 'prefault':
        // A value that is there, and valid, is that of the inner schema.
        return def.innerType && this.shapeOf(def.innerType)
      default:
        return undefined
    }
  }

  #choiceOf({ _zod: { values } }: ZodSchema): Shape | undefined {
    // JSON has no value for `undefined`.
    const all = [...(values ?? [])].filter((value) => value !== undefined)
    if (all.length === 0 || !all.every(isScalar)) return undefined
    return this.#hasRoom(all.length, ...all) ? { kind: 'choice', values: all } : undefined
  }

  #shapesOf(schemas: readonly ZodSchema[] = []): readonly Shape[] | undefined {
    const shapes: Shape[] = []
    for (const schema of schemas) {
      const shape = this.shapeOf(schema)
      if (shape === undefined) return undefined
      shapes.push(shape)
    }
    return shapes
  }

  #recordOf({ keyType, valueType }: ZodDefinition): Shape | undefined {
    const value = valueType && this.shapeOf(valueType)
    if (keyType === undefined || definitionOf(keyType).type !== 'string' || !isUnchecked(keyType)) this.isExact = false
    else this.used.push(keyType)
    return value && { kind: 'record', value }
  }

  #objectOf({ shape = {} }: ZodDefinition): Shape | undefined {
    const names = Object.keys(shape)
    // An object without fields of its own looks like a boxed number.
    if (
      names.length === 0 ||
      names.length > maxFields ||
      names.some(isInherited) ||
      !this.#hasRoom(0, ...names) ||
      Object.getOwnPropertySymbols(shape).length > 0
    )
      return undefined
    const schemas = Object.values(shape)
    const shapes = this.#shapesOf(schemas)
    const fields = shapes?.map((of, index) => {
      const { type, innerType } = definitionOf(schemas[index] as ZodSchema)
      const isOptional = type === 'optional'
      if (isOptional && innerType !== undefined && isReplaced(innerType)) this.isExact = false
      return { name: names[index] as string, shape: of, isOptional }
    })
    return fields && { kind: 'object', fields }
  }

  #unionOf({ _zod: { traits } }: ZodSchema, { options: schemas }: ZodDefinition): Shape | undefined {
    const options = this.#shapesOf(schemas)
    if (options === undefined || options.length === 0 || !isDistinct(options.flatMap(optionsOf))) return undefined
    // The schema takes the first option that accepts the message, which may leave out what a later one has.
    const isFirst = ['{', '['].every((start) => options.flatMap(startsOf).filter((one) => one === start).length <= 1)
    const isXor = traits?.has('$ZodXor') === true
    if (isXor || !(isFirst || isDecided(options))) this.isExact = false
    return { kind: 'union', options }
  }
}

/**
 * Whether the first bytes of a value decide which of the options it is of. Otherwise it would be read and written once
 * for each option, and in unions within unions once for each combination of options.
 */
function isDistinct(options: readonly Shape[]): boolean {
  const isOnce = (...kinds: readonly Shape['kind'][]): boolean =>
    options.filter(({ kind }) => kinds.includes(kind)).length <= 1
  if (!isOnce('string') || !isOnce('number') || !isOnce('array', 'tuple')) return false
  if (isOnce('object', 'record')) return true
  const starts = options.filter(({ kind }) => kind === 'object' || kind === 'record').map(startOf)
  return starts.every((one, index) =>
    starts.slice(index + 1).every((other) => {
      if (one === undefined || other === undefined) return false
      if (one.name !== other.name) return true
      return one.values?.some((value) => other.values?.includes(value) !== false) === false
    }),
  )
}

/** What an option of a union begins with: the name of its first field, and the literals of that. */
export interface UnionStart {
  readonly name: string
  readonly values: readonly Scalar[] | undefined
}

/** `undefined` if objects of the shape can begin in several ways. */
export function startOf(shape: Shape): UnionStart | undefined {
  const [first] = shape.kind === 'object' ? shape.fields : []
  if (first === undefined || first.isOptional) return undefined
  const literals = first.shape.kind === 'choice' ? first.shape.values : []
  const isCompared = literals.length > 0 && literals.length <= maxCompared
  return { name: first.name, values: isCompared ? literals : undefined }
}

/** The options of a union, and of the unions among them. */
export function optionsOf(shape: Shape): readonly Shape[] {
  return shape.kind === 'union' ? shape.options.flatMap(optionsOf) : [shape]
}

/** Whether a number, or a length, passes a test. */
export function isAccepted(test: Test, value: number): boolean {
  if (test === 'integer') return Number.isSafeInteger(value)
  const [operator, limit] = test
  if (operator === '===') return value === limit
  if (operator === '<' || operator === '<=') return operator === '<' ? value < limit : value <= limit
  return operator === '>' ? value > limit : value >= limit
}

/** Whether a field with literals, which is always there, decides which of the options a value is of. */
function isDecided(options: readonly Shape[]): boolean {
  const [first] = options
  return (
    first?.kind === 'object' &&
    first.fields.some(({ name }) => {
      const values = options.flatMap((option): readonly (Scalar | undefined)[] => choicesIn(option, name) ?? noChoices)
      return !values.includes(undefined) && new Set(values).size === values.length
    })
  )
}

const noChoices: readonly undefined[] = [undefined]

function choicesIn(shape: Shape, name: string): readonly Scalar[] | undefined {
  if (shape.kind !== 'object') return undefined
  const field = shape.fields.find((one) => one.name === name)
  return field?.shape.kind === 'choice' && !field.isOptional ? field.shape.values : undefined
}

/** How the JSON of a value may begin, for objects and arrays. */
function startsOf(shape: Shape): readonly string[] {
  if (shape.kind === 'union') return shape.options.flatMap(startsOf)
  if (shape.kind === 'object' || shape.kind === 'record') return ['{']
  return shape.kind === 'array' || shape.kind === 'tuple' ? ['['] : []
}

/** Whether the schema may have another value for one that is absent. */
function isReplaced(schema: ZodSchema): boolean {
  const { type, innerType, options = [], in: input } = definitionOf(schema)
  if (type === 'default' || type === 'prefault' || type === 'catch') return true
  return [innerType, input, ...options].some((part) => part !== undefined && isReplaced(part))
}

/** Whether the schema, if it is one of zod's, accepts all values of its type, and returns them as they are. */
function isUnchecked(schema: ZodSchema): boolean {
  const {
    _zod: { def, run, parse },
  } = schema
  return run === parse && def.coerce !== true
}

function isScalar(value: unknown): value is Scalar {
  if (typeof value === 'number') return Number.isFinite(value)
  return typeof value === 'string' || typeof value === 'boolean' || value === null
}

const int32 = 2 ** 31

/** The number formats, whose ranges are part of their names. */
const formats: Readonly<Record<string, readonly Test[]>> = {
  safeint: ['integer'],
  int32: ['integer', ['>=', -int32], ['<', int32]],
  uint32: ['integer', ['>=', 0], ['<', 2 * int32]],
}

/** Returns the comparisons that are all checks of a schema. `undefined` for a schema with other checks, or without. */
function testsOf(def: ZodDefinition): readonly Test[] | undefined {
  const checks = [...(def.check === undefined ? [] : [def]), ...(def.checks ?? []).map(({ _zod }) => _zod.def)]
  if (checks.length === 0 || !['string', 'number', 'array'].includes(def.type)) return undefined
  const tests = checks.map((check) => testOf(check))
  return tests.every((test) => test !== undefined) ? tests.flat() : undefined
}

/** Returns the comparisons that are the same as a check. */
function testOf({ check, ...def }: Omit<ZodDefinition, 'type'>): readonly Test[] | undefined {
  const than = (operator: '<' | '>', limit: unknown, isInclusive?: boolean): readonly Test[] | undefined =>
    typeof limit === 'number' ? [[isInclusive === true ? `${operator}=` : operator, limit]] : undefined
  switch (check) {
    case 'number_format':
      return formats[def.format ?? '']
    case 'less_than':
      return than('<', def.value, def.inclusive)
    case 'greater_than':
      return than('>', def.value, def.inclusive)
    case 'min_length':
      return than('>', def.minimum, true)
    case 'max_length':
      return than('<', def.maximum, true)
    case 'length_equals':
      return typeof def.length === 'number' ? [['===', def.length]] : undefined
    default:
      return undefined
  }
}
