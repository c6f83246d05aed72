import { expect, test } from "vitest";
import { IndexedHeap } from "../../../gateway/src/lib/indexed-heap.ts";
import { Random } from "../../../bench/scale/random.ts";

interface Member {
  rank: number;
  readonly id: number;
}

const precedes = (left: Member, right: Member): boolean =>
  left.rank < right.rank || (left.rank === right.rank && left.id < right.id);

test("the first is the first whatever was added, changed and deleted before", () => {
  const random = new Random(7);
  const heap = new IndexedHeap<Member>(precedes);
  const there = new Set<Member>();
  const firstOf = (fits: (member: Member) => boolean = () => true): Member | undefined =>
    [...there].filter(fits).toSorted((left, right) => (precedes(left, right) ? -1 : 1))[0];
  for (let n = 0; n < 3000; n += 1) {
    const some = [...there][random.below(Math.max(1, there.size))];
    const what = random.below(4);
    if (what <= 1 && there.size < 60) {
      const member = { rank: random.below(20), id: n };
      there.add(member);
      heap.add(member);
    } else if (what === 2 && some !== undefined) {
      some.rank = random.below(20);
      heap.update(some);
    } else if (some !== undefined) {
      there.delete(some);
      heap.delete(some);
    }
    expect(heap.first).toBe(firstOf());
    expect(heap.size).toBe(there.size);
    const [even, limit] = [({ id }: Member) => id % 2 === 0, random.below(20)];
    const found = heap.find(even, ({ rank }) => rank > limit);
    expect(found).toBe(firstOf((member) => even(member) && member.rank <= limit));
  }
});

test("what is not there is neither updated nor deleted", () => {
  const heap = new IndexedHeap<Member>(precedes);
  const [here, elsewhere] = [
    { rank: 1, id: 1 },
    { rank: 0, id: 2 },
  ];
  heap.add(here);
  heap.update(elsewhere);
  heap.delete(elsewhere);
  expect([...heap]).toEqual([here]);
  expect([heap.has(here), heap.has(elsewhere)]).toEqual([true, false]);
});

test("finding the first that fits looks at few of many", () => {
  const heap = new IndexedHeap<Member>(precedes);
  for (let id = 0; id < 10_000; id += 1) heap.add({ rank: id % 4, id });
  let looked = 0;
  const found = heap.find(
    () => {
      looked += 1;
      return looked > 10;
    },
    () => false,
  );
  expect(found?.rank).toBe(0);
  expect(looked).toBeLessThan(200);
});
