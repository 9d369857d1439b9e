/** What every codec must do: named cases for whoever writes one, bound to no test runner. */
import type { Codec } from '../core/codec.ts'
import { reasonOf } from '../core/describe.ts'
import type { CodecSamples, Subject } from './cases.ts'
import { cases } from './cases.ts'
import { show } from './kit.ts'

export type { CodecSamples }

export interface CodecSuiteOptions {
  /** Where all that is random comes from: {@link codecSeed} unless said otherwise. */
  readonly seed?: number | undefined
  /**
   * How many random inputs `decode` is given, half of them messages with changes: 20,000 unless said otherwise. A reader is
   * given half of these.
   */
  readonly inputs?: number | undefined
}

/** One thing that every codec must do. */
export interface CodecCase {
  /** Unique. */
  readonly name: string
  /**
   * Runs the case, in any order and as often as one likes. It needs no `this`.
   *
   * @throws Error that names the case, the sample and the seed, with the failed assertion or the codec's own error as its
   *   cause.
   */
  run(): void
}

/** The seed of a suite that is given none. */
export const codecSeed: number = 0x68_32_63_68

/**
 * Every case that there is, for one codec. What a codec promises stands in {@link Codec}; beyond that, equal messages
 * give equal bytes, since a codec serves any number of channels at once and keeps nothing of one message for the next.
 *
 * A codec that takes for ever, or longer the longer a message is, shows by a case that doesn't return. A test's timeout
 * can't interrupt it, so run the tests in a process with a time limit. What the codec refuses is known from `refused` and `broken` alone:
 * without them, these cases find nothing. The cases about memory run V8's garbage collector first (`--expose-gc`), which no
 * context that is there already sees.
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
  if (samples.messages.length === 0) throw new Error('codecSuite takes at least one message')
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
