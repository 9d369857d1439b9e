import { definitionOf, isBigint, resolveLazy } from './zod-types.ts'
import type { ZodDefinition, ZodSchema } from './zod-types.ts'

/**
 * Values that unions have already restored. Options tried in turn may share their parts. Without this cache, each level
 * of a recursive schema would double the work.
 */
type UnionCache = Map<ZodSchema, Map<unknown, unknown>>

/** Replaces numbers by bigints where the schema has bigints, since MessagePack does not distinguish them. */
export function restoreBigints(schema: ZodSchema, value: unknown, cache: UnionCache = new Map()): unknown {
  const part = (inner: ZodSchema | null | undefined, innerValue: unknown): unknown =>
    inner && innerValue !== null && innerValue !== undefined ? restoreBigints(inner, innerValue, cache) : innerValue
  const def = definitionOf(schema)
  switch (def.type) {
    case 'bigint':
    case 'literal':
      return isBigint(def) ? toBigint(def, value) : value
    case 'object':
      return mapProperties(value, (property, key) => {
        const own = def.shape !== undefined && Object.hasOwn(def.shape, key) ? def.shape[key] : undefined
        return part(own ?? def.catchall, property)
      })
    case 'record':
      return mapProperties(value, (property) => part(def.valueType, property))
    case 'array':
      return Array.isArray(value) ? value.map((item) => part(def.element, item)) : value
    case 'tuple':
      return Array.isArray(value) ? value.map((item, index) => part(def.items?.[index] ?? def.rest, item)) : value
    case 'union':
      return restoreUnion(schema, def, value, cache)
    case 'intersection':
      return part(def.right, part(def.left, value))
    case 'pipe':
      return def.reverseTransform === undefined ? part(def.out, part(def.in, value)) : part(def.in, value)
    case 'lazy':
      return restoreBigints(resolveLazy(schema), value, cache)
    default:
      return part(def.innerType, value)
  }
}

function toBigint({ values }: ZodDefinition, value: unknown): unknown {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || values?.includes(value) === true) return value
  return BigInt(value)
}

function restoreUnion(schema: ZodSchema, def: ZodDefinition, value: unknown, cache: UnionCache): unknown {
  const selected = selectOption(def, value)
  if (selected !== undefined) return restoreBigints(selected, value, cache)
  const restored = cache.get(schema) ?? new Map<unknown, unknown>()
  cache.set(schema, restored)
  if (!restored.has(value)) restored.set(value, firstValid(schema, def, value, cache))
  return restored.get(value)
}

/** Returns the option that the discriminator of the value selects, if the union has a discriminator. */
function selectOption({ options = [], discriminator }: ZodDefinition, value: unknown): ZodSchema | undefined {
  if (discriminator === undefined || typeof value !== 'object' || value === null) return undefined
  const name = (value as Readonly<Record<string, unknown>>)[discriminator]
  return options.find(({ _zod: { propValues } }) => propValues?.[discriminator]?.has(name))
}

/** Returns the first valid form, and prefers the unchanged value: an option with a number keeps the number. */
function firstValid(schema: ZodSchema, { options = [] }: ZodDefinition, value: unknown, cache: UnionCache): unknown {
  if (isValid(schema, value)) return value
  for (const option of options) {
    const candidate = restoreBigints(option, value, cache)
    if (isValid(option, candidate)) return candidate
  }
  return value
}

function isValid(schema: ZodSchema, value: unknown): boolean {
  try {
    return schema.safeParse?.(value).success === true
  } catch {
    // The schema runs once more afterwards and reports the error then.
    return false
  }
}

/** Returns the object itself, or a copy if `change` returns another value for a property. */
function mapProperties(value: unknown, change: (property: unknown, key: string) => unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return value
  let copy: Record<string, unknown> | undefined
  for (const [key, property] of Object.entries(value)) {
    const next = change(property, key)
    if (next === property) continue
    copy ??= { ...value }
    // Not an assignment: the key may be `__proto__`.
    Object.defineProperty(copy, key, { value: next, writable: true, enumerable: true, configurable: true })
  }
  return copy ?? value
}
