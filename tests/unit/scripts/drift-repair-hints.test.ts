import { describe, expect, it } from "vitest";
import type { Difference, Repair } from "../../../scripts/drift/difference.ts";
import { repairHints } from "../../../scripts/drift/repair-hints.ts";

function differs(resource: string, property: string, repair: Repair): Difference {
  return { urn: resource, resource, property, expected: "a", actual: "b", repair };
}
const byHand = { byHand: "docker restart it" };

describe("what npm run drift says at its end", () => {
  it("is npm run up, for the same stack, where that repairs all", () => {
    const differences = [differs("container", "memory", "refresh"), differs("image", "image", [["tag"]])];
    expect(repairHints(differences, " -- --stack far")).toBe("Repair it with: npm run up -- --stack far");
  });

  it("is not npm run up, where that repairs nothing: it says what to do by hand, once", () => {
    const differences = [differs("volume", "driver", byHand), differs("volume", "labels", byHand)];
    expect(repairHints(differences, "")).toBe(
      "npm run up does not repair this:\n  volume: docker restart it",
    );
  });

  it("is both, where some of it is left to a person", () => {
    const differences = [differs("container", "memory", "replace"), differs("volume", "labels", byHand)];
    expect(repairHints(differences, "")).toBe(
      "Repair it with: npm run up\nIt does not repair this:\n  volume: docker restart it",
    );
  });
});
