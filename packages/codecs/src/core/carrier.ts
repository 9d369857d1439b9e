/** Which types of a schema a format can carry. */
export interface Carrier {
  /** The name of the format in error messages. */
  readonly name: string
  /** Types of zod schemas whose values would arrive as something else, or not at all. */
  readonly lost: ReadonlySet<string>
  /** Whether a bigint arrives as a number if a number can hold it. */
  readonly bigintsAsNumbers?: boolean
}

const lostByBoth = ['map', 'set', 'symbol', 'function', 'file']

export const jsonCarrier: Carrier = { name: 'JSON', lost: new Set(['bigint', 'date', 'nan', ...lostByBoth]) }

/** MessagePack without extensions. */
export const msgpackCarrier: Carrier = { name: 'MessagePack', lost: new Set(lostByBoth), bigintsAsNumbers: true }

/** MessagePack with extensions, which may carry anything. */
export const extendedCarrier: Carrier = { name: 'MessagePack', lost: new Set(), bigintsAsNumbers: true }
