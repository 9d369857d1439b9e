/**
 * Ranks members by counts that only grow. Adding or removing one costs the same with any number of members. A count
 * that no member has any more is passed once.
 */
export class Ranking<Member> {
  readonly #countOf: (member: Member) => number
  /** The members at each count, as of when each was added last. */
  readonly #levels = new Map<number, Set<Member>>()
  #highest = 0

  /** @param countOf - The count of a member now. A member whose count is not the one it was added with is skipped. */
  constructor(countOf: (member: Member) => number) {
    this.#countOf = countOf
  }

  /** Notes that `member` has `count` now: one more than when it was added last, if it was. */
  add(member: Member, count: number): void {
    const before = this.#levels.get(count - 1)
    if (before?.delete(member) === true && before.size === 0) this.#levels.delete(count - 1)
    const level = this.#levels.get(count)
    if (level === undefined) this.#levels.set(count, new Set([member]))
    else level.add(member)
    this.#highest = Math.max(this.#highest, count)
  }

  /** Removes and returns a member with the highest count: `preferred`, if it has that. */
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
