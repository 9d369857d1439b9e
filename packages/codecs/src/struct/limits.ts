import { CodecError } from '../core/errors.ts'

/** What a layout may have at most. */
export const longest: {
  /** Unit: bytes. */
  readonly record: number
  /** Records and arrays in one another. Unit: levels. */
  readonly depth: number
  /** Types that are written down: there is code for each. */
  readonly count: number
  /** The layout as text, which travels in a header. Unit: characters. */
  readonly text: number
} = {
  // What thirty bits of a length prefix can say.
  record: 2 ** 30 - 1,
  depth: 32,
  count: 1024,
  text: 8192,
}

/** `INVALID_CODEC`, from something that has to do with a layout. */
export function invalidStruct(why: string): CodecError {
  return new CodecError('INVALID_CODEC', `struct: ${why}`)
}
