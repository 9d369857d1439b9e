import * as fc from 'fast-check'
import { test } from 'vitest'
import type { Codec } from '../../src/index.ts'
import { codecSeed, codecSuite } from '../../src/testing.ts'
import type { CodecSamples } from '../../src/testing.ts'

/** The samples of {@link codecSuite}, with messages that the seed chooses. */
export interface Samples<T> extends Omit<CodecSamples<T>, 'messages'> {
  readonly messages: fc.Arbitrary<T>
}

/** How many random inputs each codec gets: `H2CHANNEL_INPUTS`, as in the other tests with random inputs. */
const inputs = Number(process.env['H2CHANNEL_INPUTS'] ?? 20_000)

/** Registers the suite's cases for one codec, each as a test. */
export function testCodec<T>(name: string, codec: Codec<T>, { messages, ...samples }: Samples<T>): void {
  const some = fc.sample(messages, { numRuns: 50, seed: codecSeed })
  const cases = codecSuite(codec, { messages: some, ...samples }, { inputs })
  // oxlint-disable-next-line vitest/expect-expect -- the suite asserts
  for (const { name: what, run } of cases) test(`${name}: ${what}`, run)
}
