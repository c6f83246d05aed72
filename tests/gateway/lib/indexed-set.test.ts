import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { IndexedSet } from "../../../gateway/src/lib/indexed-set.ts";

const MIB = 1024 * 1024;

class Member {
  index = 0;
  readonly payload = new Array<number>(100).fill(0.5);
}

describe("IndexedSet", () => {
  it("contains the members that were added and not deleted", () => {
    const members = new IndexedSet<Member>();
    const items = Array.from({ length: 5 }, () => new Member());
    for (const item of items) members.add(item);
    const [first, second, third, fourth, fifth] = items as [Member, Member, Member, Member, Member];
    expect([members.delete(second), members.delete(fifth), members.delete(second)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(new Set(members)).toEqual(new Set([first, third, fourth]));
    for (const item of members) expect(members.delete(item)).toBe(true);
    expect(members.size).toBe(0);
    expect(members.delete(first)).toBe(false);
    members.add(second);
    expect([...members]).toEqual([second]);
  });

  it("leaves deleted members to the young-generation collector, unlike a Set", () => {
    expect(promotedMib(new IndexedSet<Member>())).toBeLessThan(5);
    expect(promotedMib(new Set<Member>())).toBeGreaterThan(15);
  });
});

/** How many MiB were promoted to old space while 80 MiB of members were added and deleted, 16 at a time. */
function promotedMib(members: Pick<Set<Member>, "delete"> & { add(item: Member): unknown }): number {
  setFlagsFromString("--expose-gc");
  const collectAll = runInNewContext("gc") as () => void;
  const current: Member[] = [];
  let promoted = 0;
  let last = 0;
  for (let count = 0; count < 100_000; count += 1) {
    // A full collection promotes everything that is alive.
    if (count === 1000) collectAll();
    if (count >= 1000 && count % 250 === 0) {
      const now = oldSpaceSize();
      if (count > 1000) promoted += Math.max(0, now - last);
      last = now;
    }
    const item = new Member();
    members.add(item);
    current[count % 16] = item;
    const next = current[(count + 1) % 16];
    if (next !== undefined) members.delete(next);
  }
  return promoted / MIB;
}

function oldSpaceSize(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space");
  if (space === undefined) throw new Error("V8 has no old space");
  return space.space_used_size;
}
