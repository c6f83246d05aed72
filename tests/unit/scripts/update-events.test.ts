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

/** An update's end as the CLI notes it. */
function end(type: string, ofIt: unknown): string {
  return JSON.stringify({ sequence: 1, resOutputsEvent: { metadata: { op: "same", type, new: ofIt } } });
}
const stack = (values: unknown) => end("pulumi:pulumi:Stack", { outputs: values });

/** What is told of an update that notes these lines. */
async function told(lines: readonly string[]): Promise<unknown> {
  return await updateWithOutputs(([option, file = ""], environment) => {
    expect([option, environment]).toEqual(["--event-log", { PULUMI_DEBUG_COMMANDS: "true" }]);
    writeFileSync(file, lines.map((line) => `${line}\n`).join(""));
    return Promise.resolve();
  });
}

describe("the outputs that an update ended with", () => {
  const other = end("docker:index/network:Network", { outputs: { name: "net" } });

  test("are those of the stack's last event", async () => {
    const first = stack({ ...outputs, networkName: "before" });
    expect(await told([`{"preludeEvent":{}}`, first, other, stack(outputs), other, ""])).toEqual(outputs);
  });

  test.each([
    ["nothing of the stack", [other]],
    ["a stack that was deleted", [end("pulumi:pulumi:Stack", null)]],
    ["outputs of another shape", [stack({ ...outputs, installedModels: [] })]],
    ["what reads like a secret", [stack({ ...outputs, networkName: "net-[secret]" })]],
    ["half a line", [stack(outputs), stack(outputs).slice(0, -9)]],
  ])("have to be asked for after %s", async (_, lines) => {
    expect(await told(lines)).toBeUndefined();
  });

  test("have to be asked for where the CLI notes nothing", async () => {
    expect(await updateWithOutputs(() => Promise.resolve())).toBeUndefined();
  });
});

test("an update that fails has said what was wrong with each resource", async () => {
  const said = (urn: string, message: string, severity = "error") =>
    JSON.stringify({ diagnosticEvent: { ...(urn && { urn }), message, severity } });
  const lines = [
    said("urn:pulumi:s::p::a$b::ollama-image", "  no such image\n"),
    said("urn:pulumi:s::p::a::model", "it will be pulled\n", "info"),
    said("", "update failed\n"),
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

test("an update that fails does, and its events are removed", async () => {
  let folder = "";
  const update = updateWithOutputs(([, file = ""]) => {
    folder = dirname(file);
    expect(existsSync(folder)).toBe(true);
    return Promise.reject(new Error("failed"));
  });
  await expect(update).rejects.toThrow("failed");
  expect(existsSync(folder)).toBe(false);
});

test("what a run that was killed has left goes with the next update, and what one has that runs stays", async () => {
  const [killed, runs] = [spawnSync("true").pid, process.pid].map((pid) =>
    mkdtempSync(join(tmpdir(), `ollama-stack-update-${String(pid)}-`)),
  ) as [string, string];
  writeFileSync(join(killed, "events"), "{}");
  try {
    await told([]);
    expect([existsSync(killed), existsSync(runs)]).toEqual([false, true]);
  } finally {
    rmSync(runs, { recursive: true });
  }
});
