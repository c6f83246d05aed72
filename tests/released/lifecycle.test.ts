import { globSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ProcessEnd } from "../../host/run-process.ts";
import { hosts } from "../../test-support/released/stand-in/settings.ts";
import { configure } from "../../test-support/released/user-config.ts";
import { ReleasedWorld } from "../../test-support/released/world.ts";

// An ordinary user on a fresh machine. The tests run in order: each builds on the state left by the previous ones.

// Many tests, on a machine that runs other tests, too.
const suiteEndsWithinMs = 20 * 60_000;

let world: ReleasedWorld;
/** An npm test run by the same user. */
let suite: Promise<ProcessEnd>;

/**
 * Tests of processes, sockets, and files with rights, which are different for a user, plus the shortest test with a stack
 * and one that needs root.
 */
const testsOfUser = [
  ...globSync("tests/unit/{engine,host}/*.test.ts"),
  ...["edge-files", "required-volumes", "trusted-certificates"].map(
    (name) => `tests/unit/planning/${name}.test.ts`,
  ),
  ...["deployment", "docker-endpoint", "listen-error", "registry-credentials", "settings", "start"].map(
    (name) => `tests/unit/scripts/${name}.test.ts`,
  ),
  "tests/e2e/engine",
];

beforeAll(async () => {
  world = await ReleasedWorld.start();
});
afterAll(async () => {
  await world.stop();
});

describe("the first npm run up of an ordinary user", () => {
  let output: string;
  beforeAll(async () => {
    output = await world.npm("up");
  });

  it("chooses the released tools, deploys and shows a response of the model", () => {
    expect(output).toContain("tools: released (Pulumi's downloads can be reached)");
    expect(output).toMatch(/Sample response from llama3\.2:1b after [\d.]+ s:\n\n +\S/);
    expect(output).toContain("Take down:  npm run destroy");
  });

  it("downloads the CLI and the plugins from GitHub and verifies them", () => {
    const assets = world.requests(hosts.githubAssets).map(({ path }) => path.split("/").at(-1));
    expect(assets.toSorted()).toEqual([
      "pulumi-3.259.0-checksums.txt",
      "pulumi-command_1.2.1_checksums.txt",
      "pulumi-docker_5.2.0_checksums.txt",
      expect.stringMatching(/^pulumi-resource-command-v1\.2\.1-/),
      expect.stringMatching(/^pulumi-resource-docker-v5\.2\.0-/),
      "pulumi-v3.259.0-linux-x64.tar.gz",
    ]);
    expect(output).not.toContain("no checksum available");
  });

  it("accesses the image registry only through the engine", () => {
    const agents = new Set(world.requests(hosts.hub).map(({ agent }) => agent.split("/")[0]));
    expect([...agents]).toEqual(["docker"]);
  });

  it("resolves only host names that the documentation lists", () => {
    expect(world.unexpectedNames()).toEqual([]);
  });

  it("installs nothing outside the user's home", async () => {
    const version = await world.run("/home/ada/.pulumi/versions/3.259.0/bin/pulumi", ["version"]);
    expect(version.stdout.trim()).toBe("v3.259.0");
    const others = "find /home/ada/.pulumi /home/ada/.cache ! -user ada -print -quit";
    expect(await world.root("sh", "-c", others)).toBe("");
  });
});

it("a second npm run up changes nothing and downloads nothing", async () => {
  world.forget();
  const output = await world.npm("up");
  expect(output).toMatch(/Resources:\n +\d+ unchanged\n/);
  const downloads = world.requests().filter(({ path }) => /blobs|releases/.test(path));
  expect(downloads).toEqual([]);
});

describe("the running stack", () => {
  beforeAll(() => {
    // Run in parallel because the tests below mostly wait: this saves a third of the time.
    suite = world.run("npm", ["test", "--", ...testsOfUser], { withinMs: suiteEndsWithinMs });
  });

  it("is listed by npm run status, and its logs by npm run logs", async () => {
    const status = await world.npm("status");
    expect(status).toMatch(/^gateway +running +(starting|healthy) +0 /m);
    expect(status).toMatch(/^requests: 0 in flight, 0 waiting$/m);
    const logs = await world.npm("logs", ["--tail", "all"]);
    expect(logs).toMatch(/^\d\d:\d\d:[\d.]+ +gateway +info +request .*route=\/v1\/chat\/completions/m);
    expect(logs).toMatch(/^\d\d:\d\d:[\d.]+ +ollama +/m);
  });

  it("has an image pull timeout of hours instead of the provider's 20 minutes", async () => {
    const text = await world.npm("pulumi", ["stack", "export", "--stack", "dev"]);
    const { deployment } = JSON.parse(text.slice(text.indexOf("{"))) as {
      deployment: { resources: { urn: string; customTimeouts?: { create?: number } }[] };
    };
    const image = deployment.resources.find(({ urn }) => urn.endsWith("::ollama-image"));
    expect(image?.customTimeouts?.create).toBe(4 * 3600);
  });

  it("gets a key and another model, and passes the smoke tests", async () => {
    const added = await world.npm("keys", ["add", "alice"]);
    const key = /^ +(\S+)$/m.exec(added.split("stored nowhere:")[1] ?? "")?.[1] ?? `none in: ${added}`;
    configure(world, { models: [{ name: "llama3.2:1b" }, { name: "smollm2:135m" }] });
    world.forget();
    const output = await world.npm("up", [], { env: { OLLAMA_STACK_API_KEY: key } });
    expect(output).toMatch(/Sample response from llama3\.2:1b/);
    expect(output).toMatch(/^model smollm2:135m +digest [0-9a-f]{12}/m);
    expect(await world.npm("keys", ["list"])).toContain("alice");
    const smoke = await world.npm("smoke", [], { env: { OLLAMA_STACK_API_KEY: key } });
    expect(smoke).toMatch(/^\d\d passed, 0 failed$/m);
  });

  it("reports a stopped container as drift; npm run up restarts it and deletes a model removed from the config", async () => {
    await world.run("docker", ["container", "stop", "ollama-stack-dev-ollama"]);
    const drift = await world.run("npm", ["run", "--silent", "drift"]);
    expect([drift.code, drift.stdout]).toEqual([2, expect.stringContaining("ollama-stack-dev-ollama")]);
    configure(world, { models: [{ name: "llama3.2:1b" }] });
    await world.npm("up");
    const list = await world.run("docker", ["exec", "ollama-stack-dev-ollama", "ollama", "list"]);
    expect(list.stdout).toContain("llama3.2:1b");
    expect(list.stdout).not.toContain("smollm2:135m");
  });
});

it(
  "npm test skips tests that need root and counts them as neither passed nor failed",
  { timeout: suiteEndsWithinMs },
  async () => {
    const { code, stdout, stderr, timedOut } = await suite;
    expect(timedOut).toBe(false);
    const [failed = code === 0 ? "" : stderr + stdout] = /^Failed:\n[^]*/m.exec(stdout) ?? [];
    expect(code, failed).toBe(0);
    expect(stdout).toMatch(/^\d{3,4} passed, 0 failed$/m);
    expect(stdout).toMatch(/^Not applicable here: tests\/e2e\/engine-restart\.test\.ts, .*needs root\)/m);
  },
);

it("npm run destroy removes everything without network access", async () => {
  world.setFaults({ blockedNames: ["*"] });
  await world.root("rm", "-f", "/home/ada/.cache/ollama-stack/world.json");
  world.forget();
  const output = await world.npm("destroy", ["--yes"]);
  expect(output).toContain("tools: released (the released tools are installed)");
  const left = await world.root(
    "sh",
    "-c",
    "docker ps -aq; docker volume ls -q; docker network ls -q -f type=custom",
  );
  expect(left).toBe("");
  expect(world.requests()).toEqual([]);
});
