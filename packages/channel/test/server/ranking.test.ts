/** Who has most, against a look at all. */
import { randomInt } from 'node:crypto'
import { describe, expect, test } from 'vitest'

import { Ranking } from '../../src/limits/ranking.ts'

interface Counted {
  count: number
}

describe('a ranking', () => {
  test('returns the member with the highest count, one after the other', () => {
    const members: readonly Counted[] = [{ count: 2 }, { count: 5 }, { count: 1 }]
    const ranking = new Ranking<Counted>(({ count }) => count)
    for (const member of members) ranking.add(member, member.count)
    const [second, first, third] = members
    expect([1, 2, 3, 4].map(() => ranking.takeFirst({ count: 0 }))).toEqual([first, second, third, undefined])
  })

  test('prefers a member among equals alone', () => {
    const members: readonly Counted[] = [{ count: 2 }, { count: 2 }, { count: 1 }]
    const [one, other, less] = members
    const ranking = new Ranking<Counted>(({ count }) => count)
    for (const member of members) ranking.add(member, member.count)
    expect(ranking.takeFirst(other as Counted)).toBe(other)
    expect(ranking.takeFirst(less as Counted)).toBe(one)
    expect(ranking.takeFirst(less as Counted)).toBe(less)
  })

  test('agrees with a search of all members, with random changes', () => {
    const seed = randomInt(2 ** 31)
    process.stdout.write(`ranking, seed ${seed}\n`)
    const random = generator(seed)
    const wrong: string[] = []
    for (let round = 0; round < 300; round++) {
      const members: Counted[] = Array.from({ length: 1 + random(12) }, () => ({ count: 0 }))
      const ranking = new Ranking<Counted>(({ count }) => count)
      for (let step = 0; step < 100; step++) {
        const member = members[random(members.length)] as Counted
        const kind = random(10)
        if (kind < 7) {
          member.count += 1
          ranking.add(member, member.count)
        } else if (kind < 8) {
          // It leaves.
          member.count = 0
        } else {
          const most = Math.max(...members.map(({ count }) => count))
          const taken = ranking.takeFirst(member)
          const isPreferred = taken === member
          if ((taken?.count ?? 0) !== most || isPreferred !== (most > 0 && member.count === most)) {
            wrong.push(`round ${round}, step ${step}: ${taken?.count} of ${most}`)
          }
          if (taken !== undefined) taken.count = 0
        }
      }
    }
    expect(wrong, `seed ${seed}`).toEqual([])
  })
})

/** Pseudo-random whole numbers below a bound. */
function generator(seed: number): (bound: number) => number {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % bound
  }
}
