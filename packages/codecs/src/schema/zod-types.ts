// What is known of zod 4, which is not a dependency: its schemas are recognised by their `_zod`.

/**
 * The parts of a zod schema that go one way only, or `never` without such parts. It looks ten levels deep. The check at
 * run time looks at all levels.
 */
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

/** A pipe without functions goes both ways if its output is a valid input: not from a string to `z.coerce.number()`. */
type PipeMismatch<Def> = Def extends { readonly reverseTransform: unknown }
  ? never
  : Def extends { readonly in: { readonly _zod: infer In }; readonly out: { readonly _zod: infer Out } }
    ? In extends { readonly output: infer Middle }
      ? Out extends (Out extends Primitive ? { readonly output: Middle } : { readonly input: Middle })
        ? never
        : Def
      : never
    : never

/** Schemas that accept their own output, so that the input type of a coercing one can be ignored. */
type Primitive = { readonly def: { readonly type: 'string' | 'number' | 'boolean' | 'bigint' | 'date' } }

/** The parts of a zod schema that codecs use at run time. */
export interface ZodSchema {
  readonly _zod: {
    readonly def: ZodDefinition
    /** The schema that a lazy one stands for. */
    readonly innerType?: ZodSchema
    /** The literals that each field accepts, for fields with literals. */
    readonly propValues?: Readonly<Record<string, ReadonlySet<unknown>>>
    /** The values that a literal or an enum accepts. */
    readonly values?: ReadonlySet<unknown>
    /** The names of all constructors that made the schema. */
    readonly traits?: ReadonlySet<string>
    readonly version?: { readonly major: number }
    /** Validates a value. */
    readonly run?: unknown
    /** Validates all but the schema's checks. A schema without checks has one function for both. */
    readonly parse?: unknown
    /** What makes such schemas. */
    readonly constr?: new (def: unknown) => ZodSchema
    /** Of a schema that is a check too. */
    readonly check?: unknown
  }
  readonly safeParse?: (value: unknown, context?: ZodContext) => ZodResult
  readonly safeEncode?: (value: unknown, context?: ZodContext) => ZodResult
}

export interface ZodContext {
  readonly direction?: 'backward'
  readonly jitless?: boolean
}

export type ZodResult =
  | { readonly success: true; readonly data: unknown }
  | {
      readonly success: false
      readonly error: { readonly issues: readonly { message: string; path: PropertyKey[] }[] }
    }

/** What a schema was defined with. Its `type` decides which of the other properties exist. */
export interface ZodDefinition {
  readonly type: string
  readonly shape?: Readonly<Record<string, ZodSchema>>
  readonly catchall?: ZodSchema
  readonly element?: ZodSchema
  readonly items?: readonly ZodSchema[]
  readonly rest?: ZodSchema | null
  readonly keyType?: ZodSchema
  readonly valueType?: ZodSchema
  readonly options?: readonly ZodSchema[]
  /** The field that selects the option of a union. */
  readonly discriminator?: string
  readonly left?: ZodSchema
  readonly right?: ZodSchema
  readonly innerType?: ZodSchema
  readonly in?: ZodSchema
  readonly out?: ZodSchema
  /** The functions of a codec. Its `type` is `pipe`, as for other pipes. */
  readonly transform?: unknown
  readonly reverseTransform?: unknown
  readonly coerce?: boolean
  /** The values of a literal. */
  readonly values?: readonly unknown[]
  readonly checks?: readonly ZodCheck[]
  /** The name of a check. Some schemas are checks too, such as `z.int()`. */
  readonly check?: string
  /** The numbers of a check, or the format of a string or number. */
  readonly value?: unknown
  readonly inclusive?: boolean
  readonly minimum?: unknown
  readonly maximum?: unknown
  readonly length?: unknown
  readonly format?: string
}

/** A check of a schema, such as `min`. */
export interface ZodCheck {
  readonly _zod: {
    readonly def: Omit<ZodDefinition, 'type'>
    readonly traits?: ReadonlySet<string>
    readonly constr?: new (def: unknown) => ZodCheck
    readonly check?: unknown
    readonly run?: unknown
    readonly parse?: unknown
  }
}

export function isZod(schema: unknown): schema is ZodSchema {
  const { _zod: internals } = (schema ?? {}) as Partial<ZodSchema>
  return typeof internals?.def?.type === 'string'
}

export function definitionOf({ _zod: internals }: ZodSchema): ZodDefinition {
  return internals.def
}

/** Whether values of the schema are bigints, or may be: a literal can list several values. */
export function isBigint({ type, values }: ZodDefinition): boolean {
  return type === 'bigint' || (type === 'literal' && values?.some((value) => typeof value === 'bigint') === true)
}

/** Returns the schema that zod keeps for a lazy one. The getter itself may make a new one each time. */
export function resolveLazy({ _zod: { innerType } }: ZodSchema): ZodSchema {
  // zod has none once the getter has thrown.
  if (innerType === undefined) throw new TypeError('its getter returned no schema')
  return innerType
}
