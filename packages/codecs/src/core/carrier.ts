/** What a format makes of values, as far as schemas speak of it. */
export interface Carrier {
  /** As errors name it. */
  readonly name: string
  /** Types of zod's schemas whose values would arrive as something else, or not at all. */
  readonly lost: ReadonlySet<string>
  /** Whether a bigint that a number holds arrives as that number. */
  readonly bigintsAsNumbers?: boolean
}

/** What neither format has a place for. */
const nowhere = ['map', 'set', 'symbol', 'function', 'file']

export const jsonCarrier: Carrier = { name: 'JSON', lost: new Set(['bigint', 'date', 'nan', ...nowhere]) }

export const msgpackCarrier: Carrier = { name: 'MessagePack', lost: new Set(nowhere), bigintsAsNumbers: true }

/** With extensions of one's own, which may carry anything. */
export const extendedCarrier: Carrier = { name: 'MessagePack', lost: new Set(), bigintsAsNumbers: true }
