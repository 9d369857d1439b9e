import type { ByteWriter } from '../core/byte-writer.ts'
import type { SchemaShape } from '../schema/shape.ts'
import { compileReader } from './read-code.ts'
import type { ReadJson } from './read-code.ts'
import { compileWriter } from './write-code.ts'
import type { WriteJson } from './write-code.ts'

/**
 * How many messages go without compiled code. To compile, and to run code that the engine has not optimised yet, takes
 * longer than it saves on the first ten thousand or so.
 */
const defaultWarmUp = 5_000

/** The code of one schema. */
export class CompiledJson {
  readonly #shape: SchemaShape
  readonly #warmUp: number
  #write: WriteJson | undefined
  #read: ReadJson | undefined
  #written = 0
  #received = 0
  /** Whether what {@link read} returns is the message. Otherwise the schema has to make it of that. */
  readonly isExact: boolean

  /** `warmUp` is for tests. */
  constructor(shape: SchemaShape, warmUp: number = defaultWarmUp) {
    this.#shape = shape
    this.#warmUp = warmUp
    this.isExact = shape.isExact
  }

  /** Appends a message, if the code is compiled and made for such messages. Otherwise it writes nothing. */
  write(message: unknown, out: ByteWriter): boolean {
    const write = this.#write ?? this.#compileWriter()
    if (write === undefined) return false
    const start = out.position
    try {
      if (write(message, out) && out.left >= 0) return true
    } catch {
      // It fails again without compiled code, and that error is the right one.
    }
    out.position = start
    return false
  }

  #compileWriter(): WriteJson | undefined {
    if (this.#written++ === this.#warmUp) this.#write = compileWriter(this.#shape.shape)
    return this.#write
  }

  /** Reads a message, if the code is compiled and made for such texts. Otherwise it returns `undefined`. */
  read(bytes: Uint8Array, offset: number, length: number): unknown {
    const read = this.#read ?? this.#compileReader()
    if (read === undefined) return undefined
    try {
      return read(bytes, offset, offset + length)
    } catch {
      return undefined
    }
  }

  #compileReader(): ReadJson | undefined {
    if (this.#received++ === this.#warmUp) this.#read = compileReader(this.#shape.shape)
    return this.#read
  }
}
