import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hosts } from "../../test-support/released/stand-in/settings.ts";
import { ReleasedWorld } from "../../test-support/released/world.ts";

// An ordinary user on a fresh machine, in order: each part stands on what the one before it left.
let world: ReleasedWorld;

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

  it("chooses the released tools, deploys and shows that the model responds", () => {
    expect(output).toContain("tools: released (Pulumi's downloads can be reached)");
    expect(output).toMatch(/Asked llama3\.2:1b for a joke; [\d.]+ s later:\n\n +\S/);
    expect(output).toContain("Take down:  npm run destroy");
  });

  it("downloads the CLI and the plugins from GitHub and verifies the CLI", () => {
    const assets = world.requests(hosts.githubAssets).map(({ path }) => path.split("/").at(-1));
    expect(assets.toSorted()).toEqual([
      "pulumi-3.259.0-checksums.txt",
      expect.stringMatching(/^pulumi-resource-command-v1\.2\.1-/),
      expect.stringMatching(/^pulumi-resource-docker-v5\.2\.0-/),
      "pulumi-v3.259.0-linux-x64.tar.gz",
    ]);
    expect(output).not.toContain("no checksum could be had");
  });

  it("leaves the image registry to the engine", () => {
    const agents = new Set(world.requests(hosts.hub).map(({ agent }) => agent.split("/")[0]));
    expect([...agents]).toEqual(["docker"]);
  });

  it("looks up no name that the documentation does not list", () => {
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

it("npm run destroy takes everything down, with no network at all", async () => {
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
