/**
 * Members by a count that only grows. To add one, or to take one out, costs the same however many there are; counts that
 * nobody has any more are passed once.
 */
export class Ranking<Member> {
  readonly #countOf: (member: Member) => number
  /** At each count, those that had it when they were added last. */
  readonly #levels = new Map<number, Set<Member>>()
  #highest = 0

  /** @param countOf - How many a member has. One that has no longer what it was added with is passed over. */
  constructor(countOf: (member: Member) => number) {
    this.#countOf = countOf
  }

  /** Notes that `member` has `count` now: one more than when it was added before, if it was. */
  add(member: Member, count: number): void {
    const before = this.#levels.get(count - 1)
    if (before?.delete(member) === true && before.size === 0) this.#levels.delete(count - 1)
    const level = this.#levels.get(count)
    if (level === undefined) this.#levels.set(count, new Set([member]))
    else level.add(member)
    this.#highest = Math.max(this.#highest, count)
  }

  /** Takes out one that has most: `preferred`, if that does. */
  takeFirst(preferred: Member): Member | undefined {
    for (; this.#highest > 0; this.#highest -= 1) {
      const level = this.#levels.get(this.#highest)
      if (level === undefined) continue
      if (level.delete(preferred) && this.#isAtHighest(preferred)) return preferred
      for (const member of level) {
        level.delete(member)
        if (this.#isAtHighest(member)) return member
      }
      this.#levels.delete(this.#highest)
    }
    return undefined
  }

  #isAtHighest(member: Member): boolean {
    return this.#countOf(member) === this.#highest
  }
}
