import { describe, expect, it } from "vitest";
import type { Difference, Repair } from "../../../scripts/drift/difference.ts";
import { repairHints } from "../../../scripts/drift/repair-hints.ts";

function difference(resource: string, property: string, repair: Repair): Difference {
  return { urn: resource, resource, property, expected: "a", actual: "b", repair };
}
const byHand = { byHand: "docker restart it" };

describe("the repair hints of npm run drift", () => {
  it("suggest npm run up for the same stack if that repairs everything", () => {
    const differences = [
      difference("container", "memory", "refresh"),
      difference("image", "image", [["tag"]]),
    ];
    expect(repairHints(differences, " -- --stack far")).toBe("Repair it with: npm run up -- --stack far");
  });

  it("list each manual step once if npm run up repairs nothing", () => {
    const differences = [difference("volume", "driver", byHand), difference("volume", "labels", byHand)];
    expect(repairHints(differences, "")).toBe(
      "npm run up does not repair this:\n  volume: docker restart it",
    );
  });

  it("give both if some repairs are manual", () => {
    const differences = [
      difference("container", "memory", "replace"),
      difference("volume", "labels", byHand),
    ];
    expect(repairHints(differences, "")).toBe(
      "Repair it with: npm run up\nIt does not repair this:\n  volume: docker restart it",
    );
  });
});
