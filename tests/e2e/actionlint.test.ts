import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { findGo } from "../../toolchain/go.ts";

// Here and not among the unit tests because it takes Go, and its modules from the proxy.
test("actionlint finds nothing in the workflows", async () => {
  const { command, env } = await findGo();
  const actionlint = ["run", "github.com/rhysd/actionlint/cmd/actionlint@v1.7.12"];
  const { stdout } = await promisify(execFile)(command, actionlint, { env: { ...process.env, ...env } });
  expect(stdout).toBe("");
});
