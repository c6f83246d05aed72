/** What can be one of several. */
export interface IndexedMember {
  /** Where it stands among them; theirs to set. */
  index: number;
}

/**
 * Those that are there now, in no order, such as the requests that are being served.
 *
 * A Set or Map would keep them after they have left: when V8 gives one a new table, the old table still holds what was
 * in it, and once that is old only a full garbage collection looks at it. So each request lived until the next of
 * those, and full ones came four a second where the young ones would have done.
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

  /** Says whether it was there. */
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

  /** Those that were there when it began. */
  [Symbol.iterator](): Iterator<Kind> {
    return [...this.#all].values();
  }
}
