import type { ZodCheck, ZodSchema } from './zod-types.ts'

/** The schemas and checks of zod whose rules are known here. Others can derive their own from them. */
const kinds =
  'Type|String|NumberFormat|Number|Boolean|Null|Enum|Literal|Array|Tuple|Record|ObjectJIT|Object|DiscriminatedUnion|' +
  'Union|Nullable|Optional|NonOptional|Default|Prefault'
const checks = 'LessThan|GreaterThan|MinLength|MaxLength|LengthEquals|NumberFormat'
const knownName = new RegExp(`^(?:_ZodString|(?:\\$Zod|ZodMini|Zod)(?:${kinds})|\\$ZodCheck(?:${checks})?)$`)

/**
 * Whether a schema or a check is one of zod's own, and does what its constructor made it do. A program can give one
 * another function, such as a `safeParse` around that of zod.
 */
export function isGenuine(part: ZodSchema | ZodCheck): boolean {
  const {
    _zod: { traits, constr: Part, def },
  } = part
  if (traits === undefined || Part === undefined || ![...traits].every((name) => knownName.test(name))) return false
  try {
    // It may keep and change its definition.
    const fresh = new Part({ ...def })
    const behaviour = behaviourOf(part)
    return behaviour === behaviourOf(fresh) || ('type' in def && behaviour === behaviourOf(used(fresh as ZodSchema)))
  } catch {
    return false
  }
}

const containers: ReadonlySet<string> = new Set(['array', 'tuple', 'record', 'object'])

/** Since zod 4.5, a container changes its functions at its first value. It refuses this one without its parts. */
function used(schema: ZodSchema): ZodSchema {
  const {
    _zod: { def, parse },
  } = schema
  if (containers.has(def.type) && typeof parse === 'function') parse({ value: undefined, issues: [] }, { async: false })
  return schema
}

/** The source of what a part does. Each has functions of its own, so that they cannot be compared by identity. */
function behaviourOf(part: ZodSchema | ZodCheck): string {
  const {
    _zod: { run, parse, check },
  } = part
  const safeParse = 'safeParse' in part ? part.safeParse : undefined
  return [safeParse, run, parse, check, run === parse].map(sourceOf).join('\n')
}

function sourceOf(value: unknown): string {
  // A bound function has no source. Its name tells what was bound.
  return typeof value === 'function' ? `${value.name}: ${Function.prototype.toString.call(value)}` : String(value)
}
