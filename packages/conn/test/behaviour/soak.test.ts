/**
 * Random operations on pairs of conns, with faults between: no byte is lost, nothing hangs, nothing is left behind.
 *
 * H2CHANNEL_SOAK=1000000 npx vitest run packages/conn/test/soak.test.ts   # that many operations instead of 30,000
 * H2CHANNEL_SEED=12345                                                    # also: the operations of this seed again
 * H2CHANNEL_WORLD=7                                                       # and of these, those on one carrier alone
 *
 * A seed decides which operations are performed in which order, with which sizes and signals, and at which byte of a
 * connection which fault comes. It does not decide how the kernel cuts up what it carries or when timers fire, so that
 * a replay does the same, but not at the same moments: what went wrong by a race may need several.
 */
import { expect, it } from 'vitest'

import { heapUsed, leftSince, resources, soak } from '../support/soak.ts'

const numberOf = (name: string): number | undefined => {
  const given = process.env[name]
  return given === undefined ? undefined : Number(given)
}

const operations = numberOf('H2CHANNEL_SOAK') ?? 30_000
const seed = numberOf('H2CHANNEL_SEED') ?? Math.floor(Math.random() * 2 ** 31)
const world = numberOf('H2CHANNEL_WORLD')

it(`survives ${operations} random operations (seed ${seed})`, { timeout: 60_000 + operations }, async () => {
  process.stdout.write(`soak: ${operations} operations, H2CHANNEL_SEED=${seed}\n`)
  const resourcesBefore = resources()
  // What is made once and kept is made before.
  await soak({ seed: 1, operations: 2_000 })
  const heapBefore = await heapUsed()
  const start = performance.now()
  const result = await soak({ seed, operations, world })
  const seconds = ((performance.now() - start) / 1e3).toFixed(1)
  expect(await leftSince(resourcesBefore)).toEqual({})
  const grown = ((await heapUsed()) - heapBefore) / (1024 * 1024)
  process.stdout.write(
    `soak: ${result.operations} operations on ${result.pairs} pairs, ${result.cuts} connections cut, ` +
      `${(result.bytes / 1e6).toFixed(0)} MB compared, ${seconds} s, the heap grew by ${grown.toFixed(1)} MiB\n` +
      `${JSON.stringify(result.outcomes)}\n`,
  )
  expect(result.outstanding).toBe(0)
  expect(grown).toBeLessThan(10)
})
