import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readDeployment } from "../../../scripts/stack/deployment.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "ollama-stack-export-"));
});
afterEach(() => {
  rmSync(folder, { recursive: true });
});

const secret = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };

/** Reads the state from a fake CLI that exports these. Also returns the arguments of its calls. */
async function read(encrypted: object, decrypted: object) {
  const log = join(folder, "calls");
  const state = (envs: unknown) =>
    JSON.stringify({ deployment: { resources: [{ urn: "a::b", type: "t", inputs: { envs } }] } });
  const script = `#!/bin/sh\necho "$*" >> ${log}\ncase "$*" in *--show-secrets*) echo '${state(decrypted)}' ;; *) echo '${state(encrypted)}' ;; esac\n`;
  writeFileSync(join(folder, "pulumi"), script);
  chmodSync(join(folder, "pulumi"), 0o755);
  const env = { ...process.env, PATH: [folder, process.env["PATH"]].join(delimiter) };
  const { resources, secrets } = await readDeployment("none", env);
  return { inputs: resources[0]?.inputs, secrets, calls: readFileSync(log, "utf8").trim().split("\n") };
}

test("decrypts the secrets of a state", async () => {
  const key = "a-key-of-sixteen-letters";
  const result = await read(
    { ...secret, ciphertext: "v1:xyz" },
    { ...secret, plaintext: JSON.stringify([`K=${key}`]) },
  );
  expect(result.inputs).toEqual({ envs: [`K=${key}`] });
  expect([...result.secrets]).toContain(key);
  expect(result.calls).toHaveLength(2);
});

test("reads a state without secrets once, without decryption", async () => {
  const { inputs, secrets, calls } = await read(["LOG_LEVEL=info"], ["never read"]);
  expect(inputs).toEqual({ envs: ["LOG_LEVEL=info"] });
  expect([...secrets]).toEqual([]);
  expect(calls).toEqual(["stack export --stack none"]);
});
