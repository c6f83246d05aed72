import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { IndexedSet } from "../../../gateway/src/lib/indexed-set.ts";

const MIB = 1024 * 1024;

class Guest {
  index = 0;
  readonly luggage = new Array<number>(100).fill(0.5);
}

describe("members", () => {
  it("are those that were added and have not left", () => {
    const members = new IndexedSet<Guest>();
    const guests = Array.from({ length: 5 }, () => new Guest());
    for (const guest of guests) members.add(guest);
    const [first, second, third, fourth, fifth] = guests as [Guest, Guest, Guest, Guest, Guest];
    expect([members.delete(second), members.delete(fifth), members.delete(second)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(new Set(members)).toEqual(new Set([first, third, fourth]));
    for (const guest of members) expect(members.delete(guest)).toBe(true);
    expect(members.size).toBe(0);
    expect(members.delete(first)).toBe(false);
    members.add(second);
    expect([...members]).toEqual([second]);
  });

  it("that have left are garbage for the young collection, as those of a Set are not", () => {
    expect(agedBy(new IndexedSet<Guest>())).toBeLessThan(5);
    expect(agedBy(new Set<Guest>())).toBeGreaterThan(15);
  });
});

/** How much grew old while 80 MiB of guests came and went, 16 there at a time; MiB. */
function agedBy(members: Pick<Set<Guest>, "delete"> & { add(guest: Guest): unknown }): number {
  setFlagsFromString("--expose-gc");
  const collectAll = runInNewContext("gc") as () => void;
  const there: Guest[] = [];
  let aged = 0;
  let last = 0;
  for (let count = 0; count < 100_000; count += 1) {
    // A full collection makes all old that is there.
    if (count === 1000) collectAll();
    if (count >= 1000 && count % 250 === 0) {
      const now = oldSpace();
      if (count > 1000) aged += Math.max(0, now - last);
      last = now;
    }
    const guest = new Guest();
    members.add(guest);
    there[count % 16] = guest;
    const next = there[(count + 1) % 16];
    if (next !== undefined) members.delete(next);
  }
  return aged / MIB;
}

function oldSpace(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === "old_space");
  if (space === undefined) throw new Error("V8 has no old space");
  return space.space_used_size;
}
