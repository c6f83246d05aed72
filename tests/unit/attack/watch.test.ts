import { describe, expect, it } from "vitest";
import { differences, type Snapshot } from "../../../attack/watch.ts";

const before: Snapshot = {
  id: "a",
  running: true,
  restarts: 0,
  startedAt: "2026-01-01T00:00:00Z",
  runners: [10, 20],
};

describe("the differences between two snapshots of a container", () => {
  it("are none if nothing changed", () => {
    expect(differences("ollama", before, { ...before })).toEqual([]);
  });

  it.each<[string, Partial<Snapshot>, string]>([
    ["the engine restarted it", { restarts: 1, startedAt: "2026-01-01T00:01:00Z" }, "ollama restarted"],
    ["a user restarted it", { startedAt: "2026-01-01T00:01:00Z" }, "ollama restarted"],
    ["it stopped", { running: false, runners: [] }, "ollama does not run"],
    ["it was replaced", { id: "b" }, "ollama was replaced"],
    [
      "a model runner crashed and was restarted",
      { runners: [10, 21] },
      "the model runners of ollama were 10, 20 and are 10, 21",
    ],
    ["its model runners are gone", { runners: [] }, "the model runners of ollama were 10, 20 and are none"],
  ])("show that %s", (_, change, message) => {
    expect(differences("ollama", before, { ...before, ...change })).toEqual([message]);
  });

  it("show that it is gone", () => {
    expect(differences("ollama", before, undefined)).toEqual(["ollama is gone"]);
  });
});
