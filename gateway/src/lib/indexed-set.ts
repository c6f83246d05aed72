/** A member of an IndexedSet. */
export interface IndexedMember {
  /** Index in the set; managed by the set. */
  index: number;
}

/**
 * An unordered set, such as the requests in flight.
 *
 * A Set or Map would keep removed members alive: when V8 reallocates its table, the old table still references them,
 * and once that is in the old generation only a full garbage collection frees it. Requests would survive until then, at
 * four full collections per second.
 */
export class IndexedSet<Kind extends IndexedMember> implements Iterable<Kind> {
  readonly #all: Kind[] = [];

  get size(): number {
    return this.#all.length;
  }

  add(member: Kind): void {
    member.index = this.#all.length;
    this.#all.push(member);
  }

  has(member: Kind): boolean {
    return this.#all[member.index] === member;
  }

  /** Returns whether it was a member. */
  delete(member: Kind): boolean {
    const { index } = member;
    if (this.#all[index] !== member) return false;
    const last = this.#all.pop();
    if (last !== undefined && last !== member) {
      this.#all[index] = last;
      last.index = index;
    }
    return true;
  }

  /** Iterates over a snapshot. */
  [Symbol.iterator](): Iterator<Kind> {
    return [...this.#all].values();
  }
}
