import { globSync } from "node:fs";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { longestFirst, longestTests } from "../../../scripts/test-runner/longest-first.ts";
import { runQueue } from "../../../scripts/test-runner/queue.ts";

const now = Promise.resolve();

it("a lane takes jobs in their order once it is free", async () => {
  const ends = new Map<string, () => void>();
  const begin = async (job: string) => {
    const { promise, resolve } = Promise.withResolvers<undefined>();
    ends.set(job, resolve as () => void);
    await promise;
  };
  const second = Promise.withResolvers<undefined>();
  const done = runQueue(["a", "b", "c", "d"], [now, second.promise], begin);
  await nextTurn();
  expect([...ends.keys()]).toEqual(["a"]);
  ends.get("a")?.();
  await nextTurn();
  expect([...ends.keys()]).toEqual(["a", "b"]);
  second.resolve(undefined);
  await nextTurn();
  expect([...ends.keys()]).toEqual(["a", "b", "c"]);
  ends.get("c")?.();
  await nextTurn();
  expect([...ends.keys()]).toEqual(["a", "b", "c", "d"]);
  for (const end of ends.values()) end();
  await done;
});

it("a lane takes jobs even if its earlier work failed, and a failed job does not stop other lanes", async () => {
  const run: string[] = [];
  const done = runQueue(["a", "b", "c"], [now, Promise.reject(new Error("before"))], async (job) => {
    run.push(job);
    await nextTurn();
    if (job === "a") throw new Error("no report");
  });
  await expect(done).rejects.toThrow("no report");
  expect(run).toEqual(["a", "b", "c"]);
});

it("the longest tests come first, and all of them exist", () => {
  const files = globSync("tests/e2e/*.test.ts").sort();
  const ordered = longestFirst(files);
  expect(ordered.slice(0, longestTests.length)).toEqual(longestTests);
  expect(ordered.toSorted()).toEqual(files);
});
