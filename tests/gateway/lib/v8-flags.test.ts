import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { v8Flags } from "../../../gateway/src/lib/v8-flags.ts";

const gateway = join(import.meta.dirname, "../../../gateway");
const print = async (...args: string[]) => (await promisify(execFile)(process.execPath, args)).stdout.trim();
const tag = "require('node:v8').cachedDataVersionTag()";

test("the image's command sets no flags that invalidate the code cache of Node.js's built-in modules", async () => {
  const [, command = "[]"] = /^CMD (.*)$/m.exec(readFileSync(join(gateway, "Dockerfile"), "utf8")) ?? [];
  const flags = (JSON.parse(command) as string[]).filter((argument) => argument.startsWith("--"));
  expect(flags).not.toHaveLength(0);
  expect(await print(...flags, "-p", tag)).toBe(await print("-p", tag));
});

test("V8 accepts every flag that is set after startup", async () => {
  expect(await print(...v8Flags, "-p", "1")).toBe("1");
});

test("the server sets the flags", async () => {
  const hook = `data:text/javascript,import { cachedDataVersionTag } from "node:v8";
    process.on("exit", () => { console.error("tag " + cachedDataVersionTag()); });`;
  // An address that no machine has, so that the server exits when it tries to listen.
  const env = { PATH: process.env["PATH"], HOST: "192.0.2.1", PORT: "8000", LLM_MODEL_ID: "m" };
  const run = promisify(execFile)(process.execPath, ["--import", hook, join(gateway, "src/server.ts")], {
    env,
  });
  const { stderr } = await run.then(
    () => expect.fail("the server is listening"),
    (error: unknown) => error as { stderr: string },
  );
  const [, after] = /^tag (\d+)$/m.exec(stderr) ?? expect.fail(stderr);
  expect(after).not.toBe(await print("-p", tag));
});
