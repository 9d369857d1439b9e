/** What can go wrong between a message and its bytes. Each code has a heading in docs/errors.md. */
export type CodecErrorCode = 'ENCODE_FAILED' | 'DECODE_FAILED' | 'INVALID_MESSAGE' | 'ASYNC_SCHEMA' | 'INVALID_CODEC'

/** Who broke the rule that a code stands for. A remote fault is fatal. */
const sides: { readonly [Code in CodecErrorCode]: 'local' | 'remote' } = {
  ENCODE_FAILED: 'local',
  DECODE_FAILED: 'remote',
  INVALID_MESSAGE: 'remote',
  ASYNC_SCHEMA: 'local',
  INVALID_CODEC: 'local',
}

/** Every code that there is. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the table has no other keys
export const codecErrorCodes: readonly CodecErrorCode[] = Object.keys(sides) as CodecErrorCode[]

/** One thing that a schema has against a message: what, and where in the message. */
export interface CodecIssue {
  readonly message: string
  /** Keys and indexes from the message's root to the field. Empty for the message itself. */
  readonly path: readonly PropertyKey[]
}

export interface CodecErrorOptions extends ErrorOptions {
  /** What the schema said, with `INVALID_MESSAGE`. */
  readonly issues?: readonly CodecIssue[]
}

/** Thrown by every codec, and by nothing else. */
export class CodecError extends Error {
  override readonly name = 'CodecError'

  /** Takes one of another realm, such as that of a test runner, and of another copy of this package, for the same. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // One of a class that extends this may have a name of its own.
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true
    if (this !== CodecError) return false
    return typeof value === 'object' && value !== null && 'name' in value && value.name === 'CodecError'
  }

  readonly code: CodecErrorCode

  /** Who broke the rule: `local`, the program that encodes or defines; `remote`, whoever wrote the bytes. */
  readonly side: 'local' | 'remote'

  /** Whether the stream of messages is over: what can't be decoded ends it, what can't be encoded does not. */
  readonly fatal: boolean

  /** What the schema has against the message, at most 100 of it. Empty where it was no schema that refused. */
  readonly issues: readonly CodecIssue[]

  constructor(code: CodecErrorCode, message: string, options: CodecErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.side = sides[code]
    this.fatal = this.side === 'remote'
    this.issues = options.issues ?? []
  }
}
