/** Channels that outlive their connections, while everything goes wrong: no message is lost, and none comes twice. */
import { describe, expect, test } from 'vitest'

import { conversations, cuts, play } from './resume/play.ts'

const runs = Number(process.env['RUNS'] ?? 1)
/** `H2CHANNEL_SEED` repeats the moments of a run, as far as a machine repeats them. */
const firstSeed = Number(process.env['H2CHANNEL_SEED'] ?? Date.now() % 1_000_000)

describe.each(Array.from({ length: runs }, (_, index) => firstSeed + index))('seed %i', (seed) => {
  test(`${conversations} channels outlive ${cuts} lost connections, and each process standing still for 3 s`, async () => {
    const { faults, reported, left, resumed } = await play(seed)
    expect(faults).toEqual([])
    expect(reported).toEqual([conversations, conversations])
    expect(left).toEqual([0, 0])
    expect(resumed).toBeGreaterThan(conversations * 2)
  }, 120_000)
})
