import { describe, expect, it } from "vitest";
import { Random } from "../../../attack/random.ts";
import { scenarios, faults } from "../../../attack/scenarios/all.ts";
import { hostileSchema, randomObjectSchema } from "../../../attack/scenarios/json-schemas.ts";
import { sections } from "../../../attack/scenario.ts";

describe("the scenarios of npm run attack", () => {
  it("cover every section", () => {
    const covered = new Set(scenarios.map(({ section }) => String(section)));
    expect([...covered].sort()).toEqual(Object.keys(sections));
  });

  it("have names of their own, by which the report tells them apart", () => {
    const names = [...scenarios, ...faults].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("a seed", () => {
  const made = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 50 }, () =>
      JSON.stringify([hostileSchema(random), randomObjectSchema(random)]),
    );
  };

  it("repeats the choices of a run", () => {
    expect(made(42)).toEqual(made(42));
  });

  it("makes other ones than another seed, and many different ones", () => {
    expect(made(42)).not.toEqual(made(43));
    expect(new Set(made(42)).size).toBeGreaterThan(45);
  });

  it("spreads evenly", () => {
    const random = new Random(1);
    const counts = [0, 0, 0, 0];
    for (let n = 0; n < 4000; n += 1) {
      const value = random.integer(0, 3);
      counts[value] = (counts[value] ?? 0) + 1;
    }
    for (const count of counts) expect(count).toBeGreaterThan(900);
    expect(random.sample([1, 2, 3, 4, 5], 5).toSorted()).toEqual([1, 2, 3, 4, 5]);
  });
});
