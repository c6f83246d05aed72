import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { findGo } from "../../toolchain/go.ts";

// An end-to-end test because it needs Go and modules from its proxy.
test("actionlint reports no problems in the workflows", async () => {
  const { command, env } = await findGo();
  const actionlint = ["run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"];
  const { stdout } = await promisify(execFile)(command, actionlint, { env: { ...process.env, ...env } });
  expect(stdout).toBe("");
});
