import { execFileSync } from "node:child_process";
import { truncateSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker } from "../../engine/docker-cli.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// npm run up, killed in the middle at different points, is finished by the next npm run up.
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
async function seeing(run: ReturnType<typeof up>, seen: RegExp): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!seen.test(run.output())) {
    if (Date.now() > deadline) throw new Error(`never saw ${String(seen)} in:\n${run.output()}`);
    await sleep(5);
  }
}

/** Starts an update and kills it with everything it started as soon as its output matches; returns that. */
async function killWhen(seen: RegExp): Promise<string> {
  const run = up();
  await seeing(run, seen);
  process.kill(-run.pid, "SIGKILL");
  return (await run.done).output;
}

const lockCleared = /Clearing the stack's lock, which a killed run left \(pid \d+\)/;

/** The same with an update that goes on from one that was killed. */
async function killNextWhen(seen: RegExp): Promise<void> {
  expect(await killWhen(seen)).toMatch(lockCleared);
}

/**
 * The same at a moment that is too short to be met at will: the CLI has emptied the attributes of the state's file, and
 * not filled them yet.
 */
async function killWhileStateIsWritten(seen: RegExp): Promise<void> {
  await killWhen(seen);
  truncateSync(join(project.stateFolder, ".pulumi/stacks/ollama-stack", `${project.stack}.json.attrs`));
  expect((await project.tryPulumi("stack", "export")).output).toMatch(/failed to load checkpoint: EOF/);
}

/**
 * Makes, while an update runs that fails of it, what that one is about to make: as an engine does that went away before
 * it could say so. An update that was faster is taken down, and another one started.
 */
async function leaveHalfMade(...commands: readonly (readonly string[])[]): Promise<void> {
  for (let left = 5; left > 0; left -= 1) {
    const run = up();
    const ended = new AbortController();
    const done = run.done.finally(() => {
      ended.abort();
    });
    await seeing(run, /Updating \(cut\)/);
    const made = await Promise.allSettled(commands.map((command) => docker(command)));
    const inTime = !ended.signal.aborted && made.every(({ status }) => status === "fulfilled");
    if ((await done).code !== 0 && inTime) return;
    await takeDown();
  }
  throw new Error("each of five updates was faster");
}

/** Takes the stack down, and what the engine has under its names that the state does not know. */
async function takeDown(): Promise<void> {
  const { output } = await project.tryPulumi("destroy", "--yes", "--skip-preview");
  const { containers, networks } = leftovers(project.stack);
  if (containers.length > 0) await docker(["container", "rm", "--force", "--volumes", ...containers]);
  if (networks.length > 0) await docker(["network", "rm", ...networks]);
  expect(leftovers(project.stack), output).toEqual(nothingLeft);
}

// As a program does that waits for an engine which has gone away.
const endlessProgram = `import { local } from "@pulumi/command";
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => undefined);
setInterval(() => undefined, 1000);
new local.Command("fails", { create: "exit 1" });
`;

it("an update that failed ends, although its program does not", async () => {
  const putBack = project.edit("index.ts", () => endlessProgram);
  const { code, output } = await project.tryPulumi("up", "--yes", "--skip-preview");
  putBack();
  expect(code, output).not.toBe(0);
  expect(output).toContain("update failed");
});

describe("an update that is killed", () => {
  // Each goes on from where the one before was killed, and is killed further on.
  it.each([
    [
      "while the network is made, in the middle of writing that down",
      killWhileStateIsWritten,
      /network-bridge creating/,
    ],
    ["while the gateway's image is built", killNextWhen, /gateway-image creating/],
    ["while a container is made", killNextWhen, /ollama-container creating/],
    ["while a model is pulled", killNextWhen, /pulling manifest/],
    ["while the gateway's container is made", killNextWhen, /gateway-container creating/],
  ])("%s, leaves what the next one can go on from", async (_when, kill, seen) => {
    await kill(seen);
  });

  it("is finished by the next one after all of them", async () => {
    const { code, output } = await up().done;
    expect(code, output).toBe(0);
    expect(output).toMatch(lockCleared);
    await project.pulumi("preview", "--expect-no-changes");
    await project.pulumi("destroy", "--yes", "--skip-preview");
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });

  it("is taken down whole by npm run destroy", async () => {
    await killWhen(/ollama-container creating/);
    const destroy = ["scripts/commands/destroy.ts", "--stack", project.stack, "--yes"];
    const { code, output } = await project.run(process.execPath, destroy).done;
    expect(code, output).toBe(0);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });

  it("left a network and a container that the state does not know: the next one removes them and goes on", async () => {
    const container = "ollama-stack-cut-ollama";
    try {
      await leaveHalfMade(
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
      await takeDown();
    }
  });

  it("left a network that somebody uses by now: that stays, and the update says what is in the way", async () => {
    const user = "ollama-stack-cut-user";
    try {
      await leaveHalfMade(["network", "create", network]);
      const image = String(project.configured("ollamaImage"));
      await docker(["container", "run", "--detach", "--name", user, "--network", network, image]);
      const { code, output } = await up().done;
      expect(code, output).not.toBe(0);
      expect(output).toContain(`network with name ${network} already exists`);
      expect(output).not.toMatch(/earlier failed update|active endpoints/);
    } finally {
      await takeDown();
    }
  });

  it("is not blamed for a network that somebody else made: that stays, and is in the way", async () => {
    await docker(["network", "create", network]);
    try {
      for (let time = 0; time < 2; time += 1) {
        const { code, output } = await up().done;
        expect(code, output).not.toBe(0);
        expect(output).toContain(`network with name ${network} already exists`);
      }
    } finally {
      await takeDown();
    }
  });

  it("by Ctrl-C ends in good order: no lock is left", async () => {
    const run = up();
    await seeing(run, /pulling manifest|ollama-container creating/);
    process.kill(-run.pid, "SIGINT");
    expect((await run.done).code).not.toBe(0);
    const { code, output } = await up().done;
    expect(code, output).toBe(0);
    expect(output).not.toMatch(/lock/);
  });

  it("is not taken for one while it still runs: the lock is explained", async () => {
    execFileSync("docker", ["container", "rm", "--force", "ollama-stack-cut-gateway"]);
    const first = project.run("pulumi", ["refresh", "--yes", "--skip-preview"]);
    // The refresh holds the lock from its start to its end.
    await seeing(first, /Refreshing/);
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
