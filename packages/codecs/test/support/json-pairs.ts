/** Compares a codec that has compiled code with one that has not, for one schema. */
import { inspect, isDeepStrictEqual } from 'node:util'
import { ByteWriter, CodecError } from '../../src/index.ts'
import type { Codec, SchemaOptions, StandardSchema } from '../../src/index.ts'
import { jsonCarrier } from '../../src/core/carrier.ts'
import { CompiledJson } from '../../src/json/compiled.ts'
import type { CompileLimits } from '../../src/json/compiled.ts'
import { createJsonCodec } from '../../src/json/json.ts'
import { optionalConverter } from '../../src/schema/schema.ts'
import { shapeOf } from '../../src/schema/shape.ts'

/** Compiles before the first message, and tries the code for each. */
const atOnce: CompileLimits = { warmUp: 0, maxMisses: Infinity, pause: 0 }

/** Counts for how many messages the compiled code was the right one. */
class CountingJson extends CompiledJson {
  written = 0
  received = 0

  override write(message: unknown, out: ByteWriter): boolean {
    const isWritten = super.write(message, out)
    if (isWritten) this.written++
    return isWritten
  }

  override read(bytes: Uint8Array, offset: number, length: number): unknown {
    const value = super.read(bytes, offset, length)
    if (value !== undefined) this.received++
    return value
  }
}

/** Two codecs, whose results must not differ. */
export interface JsonPair {
  readonly compiled: Codec<unknown>
  readonly plain: Codec<unknown>
  /** Of the first one. */
  readonly code: CountingJson
}

/** Both codecs of a schema. `undefined` if no code can be made for it. */
export function jsonPair(schema: StandardSchema, options: SchemaOptions = {}): JsonPair | undefined {
  const converter = optionalConverter(jsonCarrier, schema, options)
  const shape = shapeOf(schema)
  if (shape === undefined) return undefined
  const code = new CountingJson(shape, atOnce)
  return { compiled: createJsonCodec(converter, code), plain: createJsonCodec(converter, undefined), code }
}

/** What a call came to, as far as it must not differ. */
export function outcomeOf(run: () => unknown): unknown {
  try {
    const value = run()
    // The order of keys counts, which comparisons ignore.
    return { value, shown: inspect(value, { depth: Infinity, maxArrayLength: null, maxStringLength: null }) }
  } catch (error) {
    if (!(error instanceof CodecError)) throw error
    return { code: error.code, message: error.message, issues: error.issues }
  }
}

export function encodedBy(codec: Codec<unknown>, message: unknown, limit: number): unknown {
  const out = new ByteWriter(0)
  out.write(Uint8Array.of(1, 2, 3))
  out.limit(limit)
  const outcome = outcomeOf(() => {
    codec.encode(message, out)
    return Buffer.from(out.written()).toString('latin1')
  })
  return { outcome, hasOverflowed: out.hasOverflowed, position: out.position }
}

function assertSame(what: string, one: unknown, other: unknown): void {
  if (isDeepStrictEqual(one, other)) return
  const brief = (value: unknown): string => inspect(value, { depth: 5 })
  throw new Error(`${what}: compiled ${brief(one)}, not compiled ${brief(other)}`)
}

/** Asserts that both codecs write the same, or refuse with the same error. Returns what the compiled one did. */
export function assertSameWriting({ compiled, plain }: JsonPair, message: unknown, limit = Infinity): unknown {
  const came = encodedBy(compiled, message, limit)
  assertSame(`${inspect(message)} within ${limit}`, came, encodedBy(plain, message, limit))
  return came
}

/** Asserts that both codecs read the same, wherever the text lies, or refuse with the same error. */
export function assertSameReading({ compiled, plain }: JsonPair, text: string | Uint8Array): void {
  const bytes = Buffer.from(text)
  const shown = inspect(text)
  const due = outcomeOf(() => plain.decode(bytes))
  assertSame(
    `decode ${shown}`,
    outcomeOf(() => compiled.decode(bytes)),
    due,
  )
  const chunk = Buffer.concat([Buffer.from('"'), bytes, Buffer.from('1'), bytes])
  const reader = compiled.reader?.()
  for (const offset of [1, bytes.length + 2]) {
    assertSame(
      `read ${shown}`,
      outcomeOf(() => reader?.read(chunk, offset, bytes.length)),
      due,
    )
  }
}
