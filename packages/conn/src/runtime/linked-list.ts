/** What one {@link LinkedList} can hold. */
export class Linked<Item> {
  /** The neighbours in its list. Only the list sets them. */
  previous: Item | undefined
  next: Item | undefined
  list: object | undefined
}

/**
 * Items in the order in which they were added, each in one list at most. A Set would do the same, but V8 copies its
 * table now and then, and the old one keeps what had been in it until all garbage is collected: channels that live for
 * a moment so become old garbage, with all that belongs to them.
 */
export class LinkedList<Item extends Linked<Item>> implements Iterable<Item> {
  first: Item | undefined
  #last: Item | undefined
  size = 0

  /** Appends an item that is in no list. */
  add(item: Item): void {
    const last = this.#last
    item.list = this
    item.previous = last
    if (last === undefined) this.first = item
    else last.next = item
    this.#last = item
    this.size += 1
  }

  /** Removes an item. Returns whether it was in this list. */
  delete(item: Item): boolean {
    if (item.list !== this) return false
    const { previous, next } = item
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.#last = previous
    else next.previous = previous
    item.previous = item.next = item.list = undefined
    this.size -= 1
    return true
  }

  /** The list must not change meanwhile. */
  *[Symbol.iterator](): Iterator<Item> {
    for (let item = this.first; item !== undefined; item = item.next) yield item
  }
}
