import { describe, expect, it } from "vitest";
import { CountsByName } from "../../../gateway/src/lib/counts-by-name.ts";

describe("CountsByName", () => {
  it("counts each name separately", () => {
    const counts = new CountsByName();
    counts.add("ada", 2);
    counts.add("bob", 1);
    counts.add("ada", -1);
    expect([counts.of("ada"), counts.of("bob"), counts.of("eve")]).toEqual([1, 1, 0]);
    expect(counts.total).toBe(2);
    expect([...counts]).toEqual([
      ["ada", 1],
      ["bob", 1],
    ]);
  });

  it("drops names whose count is zero once there are many", () => {
    const counts = new CountsByName();
    for (let n = 0; n < 10_000; n += 1) {
      counts.add(`key-${String(n)}`, 1);
      counts.add(`key-${String(n)}`, -1);
    }
    expect([...counts].length).toBeLessThan(100);
  });
});
