import { describe, expect, it } from "vitest";
import { type CampaignResult, hasHeld, type Outcome, report } from "../../../attack/report.ts";

const outcome: Outcome = {
  section: 2,
  name: "long bodies",
  expected: "4xx",
  rounds: 3,
  tries: 1200,
  problems: new Map(),
};
const container = {
  name: "gateway",
  restarts: 0,
  outOfMemory: 0,
  unhealthy: 0,
  peakMiB: 120,
  limitMiB: 512,
};
const client = { name: "a client", responses: 90, failures: 0, medianMs: 40, longestMs: 700 };
const held: CampaignResult = {
  machine: ["two cores"],
  seed: 7,
  minutes: 20,
  rounds: 3,
  outcomes: [outcome],
  containers: [container],
  clients: [client],
  remarks: [],
};

describe("the report of a campaign", () => {
  it("has a line for each scenario, container and client", () => {
    const text = report(held);
    expect(text).toContain("| 2 | long bodies | 3 | 1,200 | 4xx | held |");
    expect(text).toContain("| gateway | 0 | 0 | 0 | 120 | 512 |");
    expect(text).toContain("| a client | 90 | 0 | 40 | 700 |");
    expect(text).toContain("none failed. No container restarted.");
    expect(hasHeld(held)).toBe(true);
  });

  it.each<[string, Partial<CampaignResult>, string]>([
    [
      "a scenario found a problem",
      { outcomes: [{ ...outcome, problems: new Map([["a | b", 2]]) }] },
      "- a | b (2 times)",
    ],
    ["a scenario did not run", { outcomes: [{ ...outcome, rounds: 0 }] }, "**not run**"],
    [
      "a container restarted",
      { containers: [{ ...container, restarts: 2 }] },
      "Containers restarted 2 times",
    ],
    [
      "a process was killed for lack of memory",
      { containers: [{ ...container, outOfMemory: 1 }] },
      "| gateway | 0 | 1 |",
    ],
    ["a client got an error", { clients: [{ ...client, failures: 1 }] }, "| a client | 90 | 1 |"],
    ["a client got no responses", { clients: [{ ...client, responses: 0 }] }, "| a client | 0 | 0 |"],
    [
      "the campaign was interrupted",
      { remarks: ["The campaign was interrupted."] },
      "The campaign was interrupted.",
    ],
  ])("shows that %s, and the campaign fails", (_, change, line) => {
    const result = { ...held, ...change };
    expect(report(result)).toContain(line);
    expect(hasHeld(result)).toBe(false);
  });

  it("fails a campaign that ran no scenario", () => {
    expect(hasHeld({ ...held, outcomes: [] })).toBe(false);
  });

  it("escapes a pipe in a scenario's name", () => {
    const text = report({ ...held, outcomes: [{ ...outcome, name: "a | b" }] });
    expect(text).toContain("| 2 | a \\| b | 3 |");
  });
});
