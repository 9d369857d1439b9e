import type { ByteWriter } from '../core/byte-writer.ts'
import type { SchemaShape } from '../schema/shape.ts'
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
  #written = 0

  /** `warmUp` is for tests. */
  constructor(shape: SchemaShape, warmUp: number = defaultWarmUp) {
    this.#shape = shape
    this.#warmUp = warmUp
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
}
