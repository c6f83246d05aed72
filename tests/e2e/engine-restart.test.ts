import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EngineKind, PrivateEngine } from "../../test-support/engine/private-engine.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// The engine restarts or loses power, or its host reboots, under a running stack and during an update.
const kind: EngineKind = process.env["OLLAMA_STACK_TEST_ENGINE"] === "current" ? "current" : "machine";
let engine: PrivateEngine;
let project: Project;

beforeAll(async () => {
  engine = await PrivateEngine.start({ name: "again", kind });
  await engine.provide();
  project = new Project({ stack: "again", ollamaPort: 18738, gatewayPort: 18730, engine });
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  try {
    await project.dispose();
    expect(leftovers(project.stack, engine)).toEqual(nothingLeft);
  } finally {
    await engine.stop();
  }
});

const runScript = (name: string) =>
  project.run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", project.stack]);
const ids = () =>
  ["ollama", "gateway", "gateway-2", "edge"].map((part) =>
    engine.docker("container", "inspect", "--format", "{{.Id}}", `ollama-stack-again-${part}`),
  );

/** Starts a script, and returns when its output matches. */
async function runUntil(name: string, pattern: RegExp): Promise<ReturnType<typeof runScript>> {
  const run = runScript(name);
  const ended = run.done.then(() => true);
  while (!pattern.test(run.output()) && !(await Promise.race([ended, sleep(5, false)])));
  expect(run.output()).toMatch(pattern);
  return run;
}

/** Waits until the gateway, which the engine restarted by itself, is ready. */
async function waitUntilReady(): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const status = await Promise.resolve()
      .then(() => engine.fetch("http://127.0.0.1:18730/ready").status)
      .catch(() => 0);
    if (status === 200) return;
    if (Date.now() > deadline) throw new Error(`the gateway responds with ${String(status)} after 60 s`);
    await sleep(500);
  }
}

it("another test run with the same engine is rejected, and leaves the engine alone", async () => {
  const id = engine.docker("info", "--format", "{{.ID}}");
  await expect(PrivateEngine.start({ name: "again", kind })).rejects.toThrow(
    'another run of the tests has the engine "again"; start this one when that has ended',
  );
  expect(engine.docker("info", "--format", "{{.ID}}")).toBe(id);
});

describe("npm run up while the engine goes down", () => {
  it.each([
    ["loses power while network and image are created", /gateway-image creating/, () => engine.crash()],
    ["restarts while a container is created", /ollama-container creating/, () => engine.restart()],
    ["restarts while a model is pulled", /pulling manifest/, () => engine.restart()],
  ])("fails when the engine %s", async (_when, pattern, disrupt) => {
    // Each run continues where the engine interrupted the previous one.
    const run = await runUntil("up", pattern);
    await disrupt();
    const { code, output } = await run.done;
    expect(code, output).not.toBe(0);
    expect(output).not.toMatch(/^\s+at .*\.ts:\d+/m);
  });

  it("succeeds when the engine goes down while it waits for a container", async () => {
    const run = await runUntil("up", /gateway-ready creating/);
    await engine.crash();
    const { code, output } = await run.done;
    expect(code, output).toBe(0);
    expect(output).toMatch(/Sample response from/);
  });
});

it("a command waits for an engine that accepts connections but responds late", async () => {
  const thaw = engine.freeze();
  try {
    const run = await runUntil("drift", /Waiting for the Docker engine/);
    thaw();
    const { code, output } = await run.done;
    expect(code, output).toBe(0);
  } finally {
    thaw();
  }
});

describe("a stack with an edge and two gateways", () => {
  beforeAll(async () => {
    project.configure({ edge: "http", gatewayReplicas: 2 });
    await project.pulumi("up", "--yes", "--skip-preview");
  });

  it.each([
    ["a restart of the engine", () => engine.restart()],
    [
      "a power failure of the engine, not even before a refresh",
      async () => {
        await engine.crash();
        await project.pulumi("preview", "--expect-no-changes");
      },
    ],
    ["a reboot of the host", () => engine.reboot()],
  ])("has no changes after %s", async (_what, disrupt) => {
    const before = ids();
    await disrupt();
    await waitUntilReady();
    // A refresh without changes makes another preview unnecessary.
    await project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes");
    expect(ids()).toEqual(before);
    const drift = await runScript("drift").done;
    expect(drift.code, drift.output).toBe(0);
  });
});
