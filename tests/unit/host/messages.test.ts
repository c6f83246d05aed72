import { expect, it } from "vitest";
import { explainFailure } from "../../../host/exec.ts";
import { duration } from "../../../host/progress.ts";

it("explains a failed program by a full disk or a network failure, and otherwise names the log", () => {
  const first = (line: string) => explainFailure("build x", "exit code 1", [line], "/log").split("\n")[0];
  expect(first("write /x: no space left on device")).toMatch(/the disk is full: free some space/);
  expect(first("dial tcp: lookup x: no such host")).toMatch(/network does not respond/);
  expect(first("undefined: y")).toBe("build x failed: exit code 1; the complete log is in /log");
});

it("shows durations in minutes and seconds", () => {
  expect(duration(8.4)).toBe("8 s");
  expect(duration(200)).toBe("3 min 20 s");
});
