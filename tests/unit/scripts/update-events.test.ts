import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { PulumiFailed } from "../../../scripts/stack/pulumi-cli.ts";
import { updateWithOutputs } from "../../../scripts/update/update-events.ts";

const outputs = {
  gatewayUrl: "http://127.0.0.1:8000",
  keysRequired: false,
  ollamaUrl: "http://127.0.0.1:8008",
  networkName: "net",
  containers: { ollama: "o", gateway: "g" },
  replicas: { ollama: ["o"], gateway: ["g"] },
  volumes: { models: "m" },
  images: { ollama: "sha256:a", gateway: "sha256:b" },
  installedModels: [{ model: "smollm2:135m", digest: "d", sizeBytes: 98_123_456 }],
};

/** The CLI's event for a finished resource. */
function outputsEvent(type: string, state: unknown): string {
  return JSON.stringify({ sequence: 1, resOutputsEvent: { metadata: { op: "same", type, new: state } } });
}
const stackEvent = (values: unknown) => outputsEvent("pulumi:pulumi:Stack", { outputs: values });

/** The outputs read from an event log with these lines. */
async function readOutputs(lines: readonly string[]): Promise<unknown> {
  return await updateWithOutputs(([option, file = ""], environment) => {
    expect([option, environment]).toEqual(["--event-log", { PULUMI_DEBUG_COMMANDS: "true" }]);
    writeFileSync(file, lines.map((line) => `${line}\n`).join(""));
    return Promise.resolve();
  });
}

describe("the outputs of an update", () => {
  const other = outputsEvent("docker:index/network:Network", { outputs: { name: "net" } });

  test("are those of the stack's last event", async () => {
    const first = stackEvent({ ...outputs, networkName: "before" });
    expect(await readOutputs([`{"preludeEvent":{}}`, first, other, stackEvent(outputs), other, ""])).toEqual(
      outputs,
    );
  });

  test.each([
    ["no event of the stack", [other]],
    ["the deletion of the stack", [outputsEvent("pulumi:pulumi:Stack", null)]],
    ["outputs of another shape", [stackEvent({ ...outputs, installedModels: [] })]],
    ["a value that looks like a secret", [stackEvent({ ...outputs, networkName: "net-[secret]" })]],
    ["an incomplete line", [stackEvent(outputs), stackEvent(outputs).slice(0, -9)]],
  ])("are undefined after %s", async (_, lines) => {
    expect(await readOutputs(lines)).toBeUndefined();
  });

  test("are undefined if the CLI writes no events", async () => {
    expect(await updateWithOutputs(() => Promise.resolve())).toBeUndefined();
  });
});

test("a failed update reports the errors of each resource", async () => {
  const diagnostic = (urn: string, message: string, severity = "error") =>
    JSON.stringify({ diagnosticEvent: { ...(urn && { urn }), message, severity } });
  const lines = [
    diagnostic("urn:pulumi:s::p::a$b::ollama-image", "  no such image\n"),
    diagnostic("urn:pulumi:s::p::a::model", "it will be pulled\n", "info"),
    diagnostic("", "update failed\n"),
  ];
  const update = updateWithOutputs(([, file = ""]) => {
    writeFileSync(file, lines.join("\n"));
    return Promise.reject(new PulumiFailed(255, "a lock", "", true));
  });
  await expect(update).rejects.toMatchObject({
    code: 255,
    stderr: "a lock\nollama-image: no such image\n: update failed",
    shown: true,
  });
});

test("a failed update rejects, and removes its events", async () => {
  let folder = "";
  const update = updateWithOutputs(([, file = ""]) => {
    folder = dirname(file);
    expect(existsSync(folder)).toBe(true);
    return Promise.reject(new Error("failed"));
  });
  await expect(update).rejects.toThrow("failed");
  expect(existsSync(folder)).toBe(false);
});

test("an update removes the events of killed runs, but not of running ones", async () => {
  const [killed, running] = [spawnSync("true").pid, process.pid].map((pid) =>
    mkdtempSync(join(tmpdir(), `ollama-stack-update-${String(pid)}-`)),
  ) as [string, string];
  writeFileSync(join(killed, "events"), "{}");
  try {
    await readOutputs([]);
    expect([existsSync(killed), existsSync(running)]).toEqual([false, true]);
  } finally {
    rmSync(running, { recursive: true });
  }
});
