import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type EngineKind, PrivateEngine } from "../../test-support/engine/private-engine.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// The engine is restarted, loses its power, or the whole host is: under a stack that runs, and under an update.
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

const up = () => project.run(process.execPath, ["scripts/commands/up.ts", "--stack", project.stack]);
const ids = () =>
  ["ollama", "gateway", "gateway-2", "edge"].map((part) =>
    engine.docker("container", "inspect", "--format", "{{.Id}}", `ollama-stack-again-${part}`),
  );

/** Starts npm run up, and returns when its output matches or it has ended. */
async function upUntil(seen: RegExp): Promise<ReturnType<typeof up>> {
  const run = up();
  const ended = run.done.then(() => true);
  while (!seen.test(run.output()) && !(await Promise.race([ended, sleep(5, false)])));
  expect(run.output()).toMatch(seen);
  return run;
}

/** Waits until the service that an engine brought back by itself is ready. */
async function ready(): Promise<void> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const status = await Promise.resolve()
      .then(() => engine.fetch("http://127.0.0.1:18730/ready").status)
      .catch(() => 0);
    if (status === 200) return;
    if (Date.now() > deadline) throw new Error(`the gateway answers ${String(status)} after 60 s`);
    await sleep(500);
  }
}

it("another run of the tests leaves this one's engine alone", async () => {
  const id = engine.docker("info", "--format", "{{.ID}}");
  await expect(PrivateEngine.start({ name: "again", kind })).rejects.toThrow(
    'another run of the tests has the engine "again"; start this one when that has ended',
  );
  expect(engine.docker("info", "--format", "{{.ID}}")).toBe(id);
});

describe("npm run up, with the engine going away under it time and again", () => {
  it.each([
    ["without power while network and image are made", /gateway-image creating/, () => engine.crash()],
    ["restarted while a container is made", /ollama-container creating/, () => engine.restart()],
    ["restarted while a model is pulled", /pulling manifest/, () => engine.restart()],
  ])("fails, the engine %s", async (_when, seen, happens) => {
    // Each is the one that gets past where the engine left the one before.
    const run = await upUntil(seen);
    await happens();
    const { code, output } = await run.done;
    expect(code, output).not.toBe(0);
    expect(output).not.toMatch(/^\s+at .*\.ts:\d+/m);
  });

  it("gets through without it, when the engine was away while a container was waited for", async () => {
    const run = await upUntil(/gateway-ready creating/);
    await engine.crash();
    const { code, output } = await run.done;
    expect(code, output).toBe(0);
    expect(output).toMatch(/Asked .* for a joke/);
  });

  it("waits for one that takes connections and answers later", async () => {
    const thaw = engine.freeze();
    try {
      const run = await upUntil(/Waiting for the Docker engine/);
      thaw();
      const { code, output } = await run.done;
      expect(code, output).toBe(0);
    } finally {
      thaw();
    }
  });
});

describe("nothing is to be changed, with an edge and two gateways", () => {
  beforeAll(async () => {
    project.configure({ edge: "http", gatewayReplicas: 2 });
    await project.pulumi("up", "--yes", "--skip-preview");
  });

  it.each([
    ["the engine was restarted", () => engine.restart()],
    ["the engine's power was cut", () => engine.crash()],
    ["the host was rebooted", () => engine.reboot()],
  ])("after %s, at once and after a refresh", async (_what, happens) => {
    const before = ids();
    await happens();
    await project.pulumi("preview", "--expect-no-changes");
    await ready();
    // What it leaves as it is, the next preview finds as the one before it did.
    await project.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes");
    expect(ids()).toEqual(before);
    const drift = await project.run(process.execPath, ["scripts/commands/drift.ts", "--stack", project.stack])
      .done;
    expect(drift.code, drift.output).toBe(0);
  });
});
