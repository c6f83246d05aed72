import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { leftovers, nothingLeft } from "../../test-support/stack/project.ts";

// Runs one section once, with stacks, monitoring, innocent clients and report. All sections (npm run attack) take
// minutes.

test("the attack from web pages fails, and its stacks are removed afterwards", async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    "scripts/commands/attack.ts",
    ...["--minutes", "0", "--only", "5", "--seed", "1"],
  ]);
  expect(stdout).toMatch(/^\| 5 +\| DNS rebinding: foreign host names.* held +\|$/m);
  expect(stdout).toContain("none failed. No container restarted.");
  expect(stdout).toMatch(/^\| innocent client of the stack attack-direct +\| +[1-9]\d* +\| +0 +\|/m);
  for (const stack of ["attack-edge", "attack-direct"]) expect(leftovers(stack)).toEqual(nothingLeft);
});
