/** A binary heap whose members can change their rank or leave: whoever precedes all others is at the top. */
export class IndexedHeap<Member extends object> implements Iterable<Member> {
  readonly #all: Member[] = [];
  readonly #places = new Map<Member, number>();
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

  /** Those that were there when it began, in no order. */
  [Symbol.iterator](): Iterator<Member> {
    return [...this.#all].values();
  }

  has(member: Member): boolean {
    return this.#places.has(member);
  }

  add(member: Member): void {
    this.#all.push(member);
    this.#rise(member, this.#all.length - 1);
  }

  delete(member: Member): void {
    const place = this.#places.get(member);
    if (place === undefined) return;
    this.#places.delete(member);
    const last = this.#all.pop();
    if (last !== undefined && last !== member) this.#settle(last, place);
  }

  /** Has to be called when a member's rank has changed; does nothing for others. */
  update(member: Member): void {
    const place = this.#places.get(member);
    if (place !== undefined) this.#settle(member, place);
  }

  /**
   * The first in order that fits. Looks at few more than those before it.
   *
   * @param isPast whether neither this one nor any after it can fit
   */
  find(fits: (member: Member) => boolean, isPast: (member: Member) => boolean): Member | undefined {
    let best: Member | undefined;
    const open = [0];
    for (let place = open.pop(); place !== undefined; place = open.pop()) {
      const member = this.#all[place];
      if (member === undefined || isPast(member)) continue;
      if (best !== undefined && !this.#precedes(member, best)) continue;
      if (fits(member)) best = member;
      else open.push(2 * place + 2, 2 * place + 1);
    }
    return best;
  }

  #settle(member: Member, place: number): void {
    if (this.#rise(member, place) === place) this.#sink(member, place);
  }

  /** Returns where it stands then. */
  #rise(member: Member, from: number): number {
    let place = from;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#all[above];
      if (parent === undefined || !this.#precedes(member, parent)) break;
      this.#put(parent, place);
      place = above;
    }
    this.#put(member, place);
    return place;
  }

  #sink(member: Member, from: number): void {
    let place = from;
    for (;;) {
      const [left, right] = [2 * place + 1, 2 * place + 2];
      let least = member;
      let next = place;
      for (const below of [left, right]) {
        const child = this.#all[below];
        if (child === undefined || !this.#precedes(child, least)) continue;
        least = child;
        next = below;
      }
      if (next === place) break;
      this.#put(least, place);
      place = next;
    }
    this.#put(member, place);
  }

  #put(member: Member, place: number): void {
    this.#all[place] = member;
    this.#places.set(member, place);
  }
}
