import { describe, expect, it } from "vitest";
import { differences, type Snapshot } from "../../../attack/watch.ts";

const before: Snapshot = {
  id: "a",
  running: true,
  restarts: 0,
  startedAt: "2026-01-01T00:00:00Z",
  runners: [10, 20],
};

describe("what counts as a change of a container", () => {
  it("is nothing while it stays the same", () => {
    expect(differences("ollama", before, { ...before })).toEqual([]);
  });

  it.each<[string, Partial<Snapshot>, string]>([
    ["the engine restarted it", { restarts: 1, startedAt: "2026-01-01T00:01:00Z" }, "ollama restarted"],
    ["somebody restarted it", { startedAt: "2026-01-01T00:01:00Z" }, "ollama restarted"],
    ["it ended", { running: false, runners: [] }, "ollama does not run"],
    ["it was replaced", { id: "b" }, "ollama was replaced"],
    [
      "a model runner crashed and was started again",
      { runners: [10, 21] },
      "the model runners of ollama were 10, 20 and are 10, 21",
    ],
    ["its models are gone", { runners: [] }, "the model runners of ollama were 10, 20 and are none"],
  ])("%s", (_, change, message) => {
    expect(differences("ollama", before, { ...before, ...change })).toEqual([message]);
  });

  it("it is gone", () => {
    expect(differences("ollama", before, undefined)).toEqual(["ollama is gone"]);
  });
});
