import { expect, test } from "vitest";
import { IndexedHeap } from "../../../gateway/src/lib/indexed-heap.ts";
import { Random } from "../../../bench/scale/random.ts";

interface Member {
  rank: number;
  readonly id: number;
}

const precedes = (left: Member, right: Member): boolean =>
  left.rank < right.rank || (left.rank === right.rank && left.id < right.id);

test("keeps the order through random additions, updates and deletions", () => {
  const random = new Random(7);
  const heap = new IndexedHeap<Member>(precedes);
  const members = new Set<Member>();
  const firstOf = (fits: (member: Member) => boolean = () => true): Member | undefined =>
    [...members].filter(fits).toSorted((left, right) => (precedes(left, right) ? -1 : 1))[0];
  for (let n = 0; n < 3000; n += 1) {
    const member = [...members][random.below(Math.max(1, members.size))];
    const operation = random.below(4);
    if (operation <= 1 && members.size < 60) {
      const added = { rank: random.below(20), id: n };
      members.add(added);
      heap.add(added);
    } else if (operation === 2 && member !== undefined) {
      member.rank = random.below(20);
      heap.update(member);
    } else if (member !== undefined) {
      members.delete(member);
      heap.delete(member);
    }
    expect(heap.first).toBe(firstOf());
    expect(heap.size).toBe(members.size);
    const [even, limit] = [({ id }: Member) => id % 2 === 0, random.below(20)];
    const found = heap.find(even, ({ rank }) => rank > limit);
    expect(found).toBe(firstOf((each) => even(each) && each.rank <= limit));
  }
});

test("ignores updates and deletions of non-members", () => {
  const heap = new IndexedHeap<Member>(precedes);
  const [member, stranger] = [
    { rank: 1, id: 1 },
    { rank: 0, id: 2 },
  ];
  heap.add(member);
  heap.update(stranger);
  heap.delete(stranger);
  expect([...heap]).toEqual([member]);
  expect([heap.has(member), heap.has(stranger)]).toEqual([true, false]);
});

test("find visits few members of a large heap", () => {
  const heap = new IndexedHeap<Member>(precedes);
  for (let id = 0; id < 10_000; id += 1) heap.add({ rank: id % 4, id });
  let visited = 0;
  const found = heap.find(
    () => {
      visited += 1;
      return visited > 10;
    },
    () => false,
  );
  expect(found?.rank).toBe(0);
  expect(visited).toBeLessThan(200);
});
