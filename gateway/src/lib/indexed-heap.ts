/** A binary heap whose members can be removed or change their rank. */
export class IndexedHeap<Member extends object> implements Iterable<Member> {
  readonly #all: Member[] = [];
  readonly #indexes = new Map<Member, number>();
  readonly #precedes: (left: Member, right: Member) => boolean;

  /** @param precedes a strict order */
  constructor(precedes: (left: Member, right: Member) => boolean) {
    this.#precedes = precedes;
  }

  get size(): number {
    return this.#all.length;
  }

  get first(): Member | undefined {
    return this.#all[0];
  }

  /** Iterates over a snapshot, in no particular order. */
  [Symbol.iterator](): Iterator<Member> {
    return [...this.#all].values();
  }

  has(member: Member): boolean {
    return this.#indexes.has(member);
  }

  add(member: Member): void {
    this.#all.push(member);
    this.#rise(member, this.#all.length - 1);
  }

  delete(member: Member): void {
    const index = this.#indexes.get(member);
    if (index === undefined) return;
    this.#indexes.delete(member);
    const last = this.#all.pop();
    if (last !== undefined && last !== member) this.#settle(last, index);
  }

  /** Must be called after a member's rank has changed. Ignores non-members. */
  update(member: Member): void {
    const index = this.#indexes.get(member);
    if (index !== undefined) this.#settle(member, index);
  }

  /**
   * Returns the first member in order that fits, visiting few others.
   *
   * @param isPast whether neither this member nor any after it can fit
   */
  find(fits: (member: Member) => boolean, isPast: (member: Member) => boolean): Member | undefined {
    let best: Member | undefined;
    const open = [0];
    for (let index = open.pop(); index !== undefined; index = open.pop()) {
      const member = this.#all[index];
      if (member === undefined || isPast(member)) continue;
      if (best !== undefined && !this.#precedes(member, best)) continue;
      if (fits(member)) best = member;
      else open.push(2 * index + 2, 2 * index + 1);
    }
    return best;
  }

  #settle(member: Member, index: number): void {
    if (this.#rise(member, index) === index) this.#sink(member, index);
  }

  /** Returns the new index. */
  #rise(member: Member, from: number): number {
    let index = from;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#all[above];
      if (parent === undefined || !this.#precedes(member, parent)) break;
      this.#put(parent, index);
      index = above;
    }
    this.#put(member, index);
    return index;
  }

  #sink(member: Member, from: number): void {
    let index = from;
    for (;;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      let least = member;
      let next = index;
      for (const below of [left, right]) {
        const child = this.#all[below];
        if (child === undefined || !this.#precedes(child, least)) continue;
        least = child;
        next = below;
      }
      if (next === index) break;
      this.#put(least, index);
      index = next;
    }
    this.#put(member, index);
  }

  #put(member: Member, index: number): void {
    this.#all[index] = member;
    this.#indexes.set(member, index);
  }
}
