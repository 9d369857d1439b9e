import type { ByteWriter } from '../core/byte-writer.ts'
import { samplesOf } from '../schema/samples.ts'
import type { Converter } from '../schema/schema.ts'
import type { SchemaShape, Shape } from '../schema/shape.ts'
import { compileReader } from './read-code.ts'
import { compileWriter } from './write-code.ts'

/** When code is compiled, and how long it is tried. */
export interface CompileLimits {
  /** After how many messages code is compiled. Unit: messages. */
  readonly warmUp: number
  /** After how many misses in a row the next {@link pause} messages go without the code. */
  readonly maxMisses: number
  /** Unit: messages. */
  readonly pause: number
}

/**
 * To compile, and to run code that the engine has not optimised yet, takes as long as the code saves on the first
 * twenty thousand messages or so.
 */
const defaultLimits: CompileLimits = { warmUp: 500, maxMisses: 8, pause: 200 }

/** The code of one schema. */
export class CompiledJson {
  readonly #writer: Attempts<ReturnType<typeof compileWriter>>
  readonly #reader: Attempts<ReturnType<typeof compileReader>>
  readonly #shape: SchemaShape
  /** Unknown before the first message that is read. */
  #isExact: boolean | undefined

  constructor(shape: SchemaShape, limits: CompileLimits = defaultLimits) {
    this.#writer = new Attempts(() => compileWriter(shape.shape), limits)
    this.#reader = new Attempts(() => compileReader(shape.shape), limits)
    this.#shape = shape
  }

  /** Whether the platform refused to compile after all. */
  get hasFailed(): boolean {
    return this.#writer.hasFailed || this.#reader.hasFailed
  }

  /**
   * Makes a message of what {@link read} returned. Where the code has checked all that the schema checks, that is the
   * message.
   */
  convert<T>(value: unknown, converter: Converter<T>): T {
    this.#isExact ??= this.#shape.isExact && keepsSamples(this.#shape.shape, converter)
    return this.#isExact ? (value as T) : converter.decode(value)
  }

  /** Appends a message, if the code is compiled and made for such messages. Otherwise it writes nothing. */
  write(message: unknown, out: ByteWriter): boolean {
    const write = this.#writer.next()
    if (write === undefined) return false
    const start = out.position
    try {
      if (write(message, out) && out.left >= 0 && out.position <= out.bytes.length) {
        this.#writer.misses = 0
        return true
      }
    } catch {
      // The right error is that of `JSON.stringify`, if it fails too.
    }
    out.position = start
    this.#writer.misses++
    return false
  }

  /** Reads a message, if the code is compiled and made for such texts. Otherwise it returns `undefined`. */
  read(bytes: Uint8Array, offset: number, length: number): unknown {
    const read = this.#reader.next()
    if (read === undefined) return undefined
    try {
      const value = read(bytes, offset, offset + length)
      if (value !== undefined) {
        this.#reader.misses = 0
        return value
      }
    } catch {
      // The right error is that of `JSON.parse`.
    }
    this.#reader.misses++
    return undefined
  }
}

/** Whether the schema accepts what the code would accept, and returns it as it is. */
function keepsSamples<T>(shape: Shape, converter: Converter<T>): boolean {
  const samples = samplesOf(shape)
  try {
    return samples?.every((one) => JSON.stringify(converter.decode(one)) === JSON.stringify(one)) === true
  } catch {
    return false
  }
}

/** Decides for each message whether code is tried. A peer may send what the code is not made for, all the time. */
class Attempts<Code> {
  /** In a row. */
  misses = 0
  readonly #compile: () => Code
  readonly #limits: CompileLimits
  #code: Code | undefined
  /** How many messages are left before the next attempt. */
  #wait: number

  constructor(compile: () => Code, limits: CompileLimits) {
    this.#compile = compile
    this.#limits = limits
    this.#wait = limits.warmUp
  }

  get hasFailed(): boolean {
    return this.#wait === Infinity
  }

  /** The code to try for the next message. */
  next(): Code | undefined {
    if (this.#wait > 0 || this.misses >= this.#limits.maxMisses) return this.#skip()
    return this.#code ?? this.#make()
  }

  #make(): Code | undefined {
    this.#code = this.#compile()
    // Where code is forbidden after all, there is no second attempt.
    if (this.#code === undefined) this.#wait = Infinity
    return this.#code
  }

  #skip(): undefined {
    if (this.#wait > 0) this.#wait--
    else {
      this.#wait = this.#limits.pause
      this.misses = 0
    }
  }
}
