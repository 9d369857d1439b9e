/** Named test cases for authors of codecs, for any test runner. */
import type { Codec } from '../core/codec.ts'
import { reasonOf } from '../core/describe.ts'
import type { CodecSamples, Subject } from './cases.ts'
import { cases } from './cases.ts'
import { show } from './kit.ts'

export type { CodecSamples }

/** Options of {@link codecSuite}. */
export interface CodecSuiteOptions {
  /** The seed of all random inputs. Default: {@link codecSeed}. */
  readonly seed?: number | undefined
  /**
   * Number of random inputs for `decode`, half of them changed messages. A reader reads half of these inputs. Default:
   * 20,000.
   */
  readonly inputs?: number | undefined
}

/** One test case. */
export interface CodecCase {
  /** Unique. */
  readonly name: string
  /**
   * Runs the case. Cases can run in any order and repeatedly, and need no `this`.
   *
   * @throws Error that names the case, the sample and the seed. Its `cause` is the failed assertion or the codec's own
   *   error.
   */
  run(): void
}

/** The default seed of {@link codecSuite}. */
export const codecSeed: number = 0x68_32_63_68

/**
 * Returns all test cases for one codec. They test the contract of {@link Codec}, and that equal messages have equal
 * bytes, since a codec serves several channels at once and keeps no state between messages.
 *
 * An endless or very slow codec shows as a case that does not return. The timeout of a test cannot interrupt it, so run
 * the tests in a process with a time limit. The cases about refused values and broken bytes need `refused` and
 * `broken`. The cases about memory run V8's garbage collector first (`--expose-gc`), which existing contexts do not
 * see.
 *
 * @throws Error when `samples` has no message.
 *
 * @example
 * ```ts
 * import { codecSuite } from '@h2channel/codecs/testing'
 * import { test } from 'node:test'
 *
 * for (const { name, run } of codecSuite(dates, { messages: [new Date(0)], broken: [new Uint8Array(7)] })) {
 *   void test(`dates: ${name}`, run)
 * }
 * ```
 */
export function codecSuite<T>(
  codec: Codec<T>,
  samples: CodecSamples<T>,
  { seed = codecSeed, inputs = 20_000 }: CodecSuiteOptions = {},
): readonly CodecCase[] {
  if (samples.messages.length === 0) throw new Error('codecSuite needs at least one message')
  const subject: Subject<T> = { ...samples, codec, seed, inputs, shown: show(samples.messages) }
  return Object.entries(cases).map(([name, body]) => ({
    name,
    run: () => {
      try {
        body(subject)
      } catch (cause) {
        throw new Error(`${codec.name}: ${name}: ${reasonOf(cause)} (seed ${seed})`, { cause })
      }
    },
  }))
}
