import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { v8Flags } from "../../../gateway/src/lib/v8-flags.ts";

const gateway = join(import.meta.dirname, "../../../gateway");
const print = async (...args: string[]) => (await promisify(execFile)(process.execPath, args)).stdout.trim();
const tag = "require('node:v8').cachedDataVersionTag()";

test("the image's command keeps the compiled code of Node.js's own modules, which other flags would reject", async () => {
  const [, command = "[]"] = /^CMD (.*)$/m.exec(readFileSync(join(gateway, "Dockerfile"), "utf8")) ?? [];
  const flags = (JSON.parse(command) as string[]).filter((word) => word.startsWith("--"));
  expect(flags).not.toHaveLength(0);
  expect(await print(...flags, "-p", tag)).toBe(await print("-p", tag));
});

test("V8 knows every flag that is set after the start", async () => {
  expect(await print(...v8Flags, "-p", "1")).toBe("1");
});

test("the server sets them", async () => {
  const hook = `data:text/javascript,import { cachedDataVersionTag } from "node:v8";
    process.on("exit", () => { console.error("tag " + cachedDataVersionTag()); });`;
  // Nobody has this address: the server ends when it is to listen.
  const env = { PATH: process.env["PATH"], HOST: "192.0.2.1", PORT: "8000", LLM_MODEL_ID: "m" };
  const run = promisify(execFile)(process.execPath, ["--import", hook, join(gateway, "src/server.ts")], {
    env,
  });
  const { stderr } = await run.then(
    () => expect.fail("the server listens"),
    (error: unknown) => error as { stderr: string },
  );
  const [, after] = /^tag (\d+)$/m.exec(stderr) ?? expect.fail(stderr);
  expect(after).not.toBe(await print("-p", tag));
});
