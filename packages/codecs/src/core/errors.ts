/** The error codes of codecs. Each code has a heading in docs/reference/errors.md. */
export type CodecErrorCode = 'ENCODE_FAILED' | 'DECODE_FAILED' | 'INVALID_MESSAGE' | 'ASYNC_SCHEMA' | 'INVALID_CODEC'

/** The side at fault, for each code. A remote fault is fatal. */
const sides: { readonly [Code in CodecErrorCode]: 'local' | 'remote' } = {
  ENCODE_FAILED: 'local',
  DECODE_FAILED: 'remote',
  INVALID_MESSAGE: 'remote',
  ASYNC_SCHEMA: 'local',
  INVALID_CODEC: 'local',
}

/** All error codes of codecs. */
export const codecErrorCodes: readonly CodecErrorCode[] = Object.keys(sides) as CodecErrorCode[]

/** One reason why a message is invalid, and its location in the message. */
export interface CodecIssue {
  readonly message: string
  /** Keys and indexes from the message's root to the field. Empty for the message itself. */
  readonly path: readonly PropertyKey[]
}

/** Options of {@link CodecError}. */
export interface CodecErrorOptions extends ErrorOptions {
  /** The issues that the schema reported, for `INVALID_MESSAGE`. */
  readonly issues?: readonly CodecIssue[]
}

/** The only error that codecs throw. */
export class CodecError extends Error {
  override readonly name = 'CodecError'

  /** Recognises errors of another realm, such as that of a test runner, and of another copy of this package. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    // An instance of a subclass may have another name.
    if (Function.prototype[Symbol.hasInstance].call(this, value)) return true
    if (this !== CodecError) return false
    return typeof value === 'object' && value !== null && 'name' in value && value.name === 'CodecError'
  }

  readonly code: CodecErrorCode

  /** The side at fault: `local` for this program, `remote` for the peer that wrote the bytes. */
  readonly side: 'local' | 'remote'

  /** Whether the error ends the channel. An error of decoding does, an error of encoding does not. */
  readonly fatal: boolean

  /** The issues that the schema reported, at most 100. Empty if the error is not from a schema. */
  readonly issues: readonly CodecIssue[]

  constructor(code: CodecErrorCode, message: string, options: CodecErrorOptions = {}) {
    super(message, options)
    this.code = code
    this.side = sides[code]
    this.fatal = this.side === 'remote'
    this.issues = options.issues ?? []
  }
}
