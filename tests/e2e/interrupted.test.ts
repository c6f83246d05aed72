import { execFileSync } from "node:child_process";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker } from "../../engine/docker-cli.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// npm run up completes an update that was killed at any of several points.
const project = new Project({ stack: "cut", ollamaPort: 18308, gatewayPort: 18300 });
const network = "ollama_network_cut";
const up = () => project.run(process.execPath, ["scripts/commands/up.ts", "--stack", project.stack]);

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  await project.dispose();
  expect(leftovers(project.stack)).toEqual(nothingLeft);
});

/** Waits until the output of a run matches. */
async function waitForOutput(run: ReturnType<typeof up>, pattern: RegExp): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!pattern.test(run.output())) {
    if (Date.now() > deadline) throw new Error(`no ${String(pattern)} in:\n${run.output()}`);
    await sleep(5);
  }
}

/** Starts an update, kills it and its child processes as soon as its output matches, and returns the output. */
async function killWhen(pattern: RegExp): Promise<string> {
  const run = up();
  await waitForOutput(run, pattern);
  process.kill(-run.pid, "SIGKILL");
  return (await run.done).output;
}

const lockCleared = /Clearing the stack's lock, which a killed run left \(pid \d+\)/;

/** Kills an update that continues a killed one. */
async function killNextWhen(pattern: RegExp): Promise<void> {
  expect(await killWhen(pattern)).toMatch(lockCleared);
}

/**
 * Simulates a kill at a moment too short to hit: when the CLI has truncated the attributes of the state's file but not
 * written them yet.
 */
async function killWhileStateIsWritten(pattern: RegExp): Promise<void> {
  await killWhen(pattern);
  truncateSync(join(project.stateFolder, ".pulumi/stacks/ollama-stack", `${project.stack}.json.attrs`));
  expect((await project.tryPulumi("stack", "export")).output).toMatch(/failed to load checkpoint: EOF/);
}

/**
 * Creates orphans as an engine does that goes down before it can respond: creates what a running update is about to
 * create, so that the update fails. If the update was faster, destroys the stack and starts another one.
 */
async function leaveOrphans(...commands: readonly (readonly string[])[]): Promise<void> {
  for (let left = 5; left > 0; left -= 1) {
    const run = up();
    const ended = new AbortController();
    const done = run.done.finally(() => {
      ended.abort();
    });
    await waitForOutput(run, /Updating \(cut\)/);
    const created = await Promise.allSettled(commands.map((command) => docker(command)));
    const inTime = !ended.signal.aborted && created.every(({ status }) => status === "fulfilled");
    if ((await done).code !== 0 && inTime) return;
    await destroyWithOrphans();
  }
  throw new Error("all five updates were faster");
}

/** Destroys the stack, and removes objects with its names that the state lacks. */
async function destroyWithOrphans(): Promise<void> {
  const { output } = await project.tryPulumi("destroy", "--yes", "--skip-preview");
  const { containers, networks } = leftovers(project.stack);
  if (containers.length > 0) await docker(["container", "rm", "--force", "--volumes", ...containers]);
  if (networks.length > 0) await docker(["network", "rm", ...networks]);
  expect(leftovers(project.stack), output).toEqual(nothingLeft);
}

// Like a program that waits for an engine that is down.
const endlessProgram = `import { local } from "@pulumi/command";
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => undefined);
setInterval(() => undefined, 1000);
new local.Command("fails", { create: "exit 1" });
`;

it("a failed update ends although its program does not", async () => {
  const restore = project.edit("index.ts", () => endlessProgram);
  const { code, output } = await project.tryPulumi("up", "--yes", "--skip-preview");
  restore();
  expect(code, output).not.toBe(0);
  expect(output).toContain("update failed");
});

describe("a killed update", () => {
  // Each continues where the previous one was killed, and is killed later.
  it.each([
    ["while the state of the new network is written", killWhileStateIsWritten, /network-bridge creating/],
    ["while the gateway's image is built", killNextWhen, /gateway-image creating/],
    ["while a container is created", killNextWhen, /ollama-container creating/],
    ["while a model is pulled", killNextWhen, /pulling manifest/],
    ["while the gateway's container is created", killNextWhen, /gateway-container creating/],
  ])("can be continued by the next one when it is killed %s", async (_when, kill, pattern) => {
    await kill(pattern);
  });

  it("is completed by the next one after all of these", async () => {
    const { code, output } = await up().done;
    expect(code, output).toBe(0);
    expect(output).toMatch(lockCleared);
    await project.pulumi("preview", "--expect-no-changes");
    await project.pulumi("destroy", "--yes", "--skip-preview");
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });

  it("is destroyed completely by npm run destroy", async () => {
    await killWhen(/ollama-container creating/);
    const destroy = ["scripts/commands/destroy.ts", "--stack", project.stack, "--yes"];
    const { code, output } = await project.run(process.execPath, destroy).done;
    expect(code, output).toBe(0);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });

  it("leaves a network and a container that the state lacks, which the next one removes before it continues", async () => {
    const container = "ollama-stack-cut-ollama";
    try {
      await leaveOrphans(
        ["network", "create", network],
        ["container", "create", "--name", container, String(project.configured("ollamaImage"))],
      );
      const { code, output } = await up().done;
      expect(code, output).toBe(0);
      const removed = (what: string) => `Removed the ${what}, which an earlier failed update had created.`;
      expect(output).toContain(removed(`network ${network}`));
      expect(output).toContain(removed(`container ${container}`));
      await project.pulumi("preview", "--expect-no-changes");
    } finally {
      await destroyWithOrphans();
    }
  });

  it("is not assumed to have left a network that somebody else created, which the next one keeps", async () => {
    await docker(["network", "create", network]);
    try {
      for (let time = 0; time < 2; time += 1) {
        const { code, output } = await up().done;
        expect(code, output).not.toBe(0);
        expect(output).toContain(`network with name ${network} already exists`);
      }
    } finally {
      await destroyWithOrphans();
    }
  });

  it("leaves no lock after Ctrl-C", async () => {
    const run = up();
    await waitForOutput(run, /pulling manifest|ollama-container creating/);
    process.kill(-run.pid, "SIGINT");
    expect((await run.done).code).not.toBe(0);
    const { code, output } = await up().done;
    expect(code, output).toBe(0);
    expect(output).not.toMatch(/lock/);
  });

  it("is not assumed while the update still runs: destroy explains its lock", async () => {
    execFileSync("docker", ["container", "rm", "--force", "ollama-stack-cut-gateway"]);
    const first = project.run("pulumi", ["refresh", "--yes", "--skip-preview"]);
    // The refresh holds the lock from its start to its end.
    await waitForOutput(first, /Refreshing/);
    process.kill(-first.pid, "SIGSTOP");
    const destroy = ["scripts/commands/destroy.ts", "--stack", project.stack, "--yes"];
    const { code, output } = await project.run(process.execPath, destroy).done;
    process.kill(-first.pid, "SIGCONT");
    expect((await first.done).code).toBe(0);
    expect(code, output).not.toBe(0);
    expect(output).toMatch(
      /The stack is locked by .* \(pid \d+\), by an update that is running or was interrupted/,
    );
    expect(output).toMatch(/npm run pulumi -- cancel --stack NAME/);
  });
});
