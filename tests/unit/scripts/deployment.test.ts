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

/** Reads the state of a CLI that exports these. Returns what it was asked besides. */
async function read(closed: object, opened: object) {
  const asked = join(folder, "asked");
  const state = (envs: unknown) =>
    JSON.stringify({ deployment: { resources: [{ urn: "a::b", type: "t", inputs: { envs } }] } });
  const script = `#!/bin/sh\necho "$*" >> ${asked}\ncase "$*" in *--show-secrets*) echo '${state(opened)}' ;; *) echo '${state(closed)}' ;; esac\n`;
  writeFileSync(join(folder, "pulumi"), script);
  chmodSync(join(folder, "pulumi"), 0o755);
  const env = { ...process.env, PATH: [folder, process.env["PATH"]].join(delimiter) };
  const { resources, secrets } = await readDeployment("none", env);
  return { inputs: resources[0]?.inputs, secrets, asked: readFileSync(asked, "utf8").trim().split("\n") };
}

test("a state's secrets are opened where it has some", async () => {
  const key = "a-key-of-sixteen-letters";
  const told = await read(
    { ...secret, ciphertext: "v1:xyz" },
    { ...secret, plaintext: JSON.stringify([`K=${key}`]) },
  );
  expect(told.inputs).toEqual({ envs: [`K=${key}`] });
  expect([...told.secrets]).toContain(key);
  expect(told.asked).toHaveLength(2);
});

test("a state without secrets is read once, and not opened", async () => {
  const { inputs, secrets, asked } = await read(["LOG_LEVEL=info"], ["never asked for"]);
  expect(inputs).toEqual({ envs: ["LOG_LEVEL=info"] });
  expect([...secrets]).toEqual([]);
  expect(asked).toEqual(["stack export --stack none"]);
});
