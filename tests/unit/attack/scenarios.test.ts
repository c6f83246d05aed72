import { describe, expect, it } from "vitest";
import { Random } from "../../../attack/random.ts";
import { scenarios, faults } from "../../../attack/scenarios/all.ts";
import { hostileSchema, randomObjectSchema } from "../../../attack/scenarios/json-schemas.ts";
import { sections } from "../../../attack/scenario.ts";

describe("the attack scenarios", () => {
  it("cover every section", () => {
    const covered = new Set(scenarios.map(({ section }) => String(section)));
    expect([...covered].sort()).toEqual(Object.keys(sections));
  });

  it("have unique names", () => {
    const names = [...scenarios, ...faults].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe("a seeded random generator", () => {
  const generateSchemas = (seed: number) => {
    const random = new Random(seed);
    return Array.from({ length: 50 }, () =>
      JSON.stringify([hostileSchema(random), randomObjectSchema(random)]),
    );
  };

  it("generates the same schemas for the same seed", () => {
    expect(generateSchemas(42)).toEqual(generateSchemas(42));
  });

  it("generates other schemas for another seed, with few duplicates", () => {
    expect(generateSchemas(42)).not.toEqual(generateSchemas(43));
    expect(new Set(generateSchemas(42)).size).toBeGreaterThan(45);
  });

  it("distributes integers evenly and samples without repetition", () => {
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
