import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { hosts } from "../../test-support/released/stand-in/settings.ts";
import { ReleasedWorld } from "../../test-support/released/world.ts";

// Failures of downloads and pulls. Each test starts with nothing installed and a working network.
const cli = "/home/ada/.pulumi/versions/3.259.0/bin";
const archive = "pulumi-v3.259.0-linux-x64.tar.gz";
let world: ReleasedWorld;

beforeAll(async () => {
  world = await ReleasedWorld.start();
  // As on a machine without curl and wget.
  const hide =
    "mount -t overlay overlay -o lowerdir=/usr/bin,upperdir=/run/curl/u,workdir=/run/curl/w /usr/bin";
  await world.root(
    "sh",
    "-c",
    `mkdir -p /run/curl/u /run/curl/w && ${hide} && rm -f /usr/bin/curl /usr/bin/wget`,
  );
});
afterAll(async () => {
  await world.stop();
});
beforeEach(async () => {
  world.setFaults({});
  await world.root("rm", "-rf", "/home/ada/.pulumi", "/home/ada/.cache/ollama-stack/world.json");
  world.forget();
});

/** Runs an npm script, expects it to fail and returns its output. */
async function runFailing(script: string, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await world.run("npm", ["run", "--silent", script, "--", ...args]);
  expect(code).not.toBe(0);
  return stderr + stdout;
}

async function version(): Promise<string> {
  return (await world.run(`${cli}/pulumi`, ["version"])).stdout.trim();
}

describe("the CLI", () => {
  it("is installed without curl and wget", async () => {
    expect((await world.run("sh", ["-c", "command -v curl wget"])).code).not.toBe(0);
    await world.npm("setup");
    expect(await version()).toBe("v3.259.0");
  });

  it("is downloaded from Pulumi's site if GitHub is unreachable, with a notice that it is unverified", async () => {
    world.setFaults({ blockedNames: [hosts.github] });
    const output = await world.npm("setup");
    expect(output).toContain(`${archive}: no checksum available`);
    expect(world.requests(hosts.pulumi).map(({ path }) => path)).toContain(`/releases/sdk/${archive}`);
    expect(await version()).toBe("v3.259.0");
  });

  it("is rejected if it does not match its release's checksum", async () => {
    world.setFaults({ corrupted: archive });
    expect(await runFailing("setup")).toMatch(
      /has the SHA-256 \w+, but its release publishes \w+: something modifies/,
    );
    expect((await world.run("ls", [cli])).code).not.toBe(0);
  });

  it("is not installed by an interrupted download, and is installed by the next run", async () => {
    world.setFaults({ cut: { path: archive, afterBytes: 1_000_000 } });
    expect(await runFailing("setup")).toMatch(/cannot be downloaded \(.*github\.com.*get\.pulumi\.com/);
    expect((await world.run("ls", [cli])).code).not.toBe(0);
    world.setFaults({});
    await world.npm("setup");
    expect(await version()).toBe("v3.259.0");
  });

  it("is replaced if a copy of it is incomplete", async () => {
    await world.npm("setup");
    await world.run("rm", [`${cli}/.contents.json`, "/home/ada/.cache/ollama-stack/world.json"]);
    await world.run("truncate", ["--size=1M", `${cli}/pulumi-language-nodejs`]);
    expect(await world.npm("setup")).toContain("is incomplete: downloading it again");
    await world.run("truncate", ["--size=1M", `${cli}/pulumi`]);
    world.forget();
    await world.npm("setup");
    expect(world.requests(hosts.githubAssets).map(({ path }) => path.split("/").at(-1))).toContain(archive);
    expect(await version()).toBe("v3.259.0");
  });

  it("and the plugins are kept if Pulumi's own programs installed them", async () => {
    await world.npm("setup");
    await world.run("sh", ["-c", `rm ${cli}/.contents.json /home/ada/.pulumi/plugins/*/.contents.json`]);
    world.forget();
    await world.npm("setup");
    expect(world.requests(hosts.githubAssets)).toEqual([]);
  });
});

describe("a plugin", () => {
  const plugin = "/home/ada/.pulumi/plugins/resource-docker-v5.2.0";
  const names = { docker: "pulumi-resource-docker", command: "pulumi-resource-command" };

  it("is rejected if it does not match its release's checksum", async () => {
    for (const name of Object.values(names)) {
      world.setFaults({ corrupted: name });
      expect(await runFailing("setup")).toMatch(
        new RegExp(
          `${name}\\S+ has the SHA-(1|256) \\w+, but its release publishes \\w+: something modifies`,
        ),
      );
      expect((await world.run("ls", ["/home/ada/.pulumi/plugins"])).stdout).not.toContain(
        name.replace("pulumi-", ""),
      );
    }
  });

  it("is replaced if its installation is incomplete", async () => {
    await world.npm("setup");
    for (const damage of [
      `truncate --size=1M ${plugin}/${names.docker}`,
      `rm ${plugin}/.contents.json; truncate --size=1M ${plugin}/${names.docker}`,
      `touch ${plugin}.partial`,
    ]) {
      await world.run("sh", ["-c", damage]);
      world.forget();
      expect(await world.npm("setup"), damage).toContain(`${plugin} is incomplete: downloading it again`);
      expect(world.requests(hosts.githubAssets).map(({ path }) => path.split("/").at(-1))).toContain(
        `${names.docker}-v5.2.0-linux-amd64.tar.gz`,
      );
      expect((await world.run("ls", [`${plugin}.partial`])).code, damage).not.toBe(0);
    }
  });
});

it("a rate-limited image registry stops an update with the reason and does not trigger a build", async () => {
  world.setFaults({ rateLimited: true });
  const output = await runFailing("up");
  expect(output).toContain("tools: released");
  expect(output).toMatch(
    /ollamaImage is "ollama\/ollama:.*429 Too Many Requests.*docker login.*docs\/proxies\.md/,
  );
  expect(output).not.toContain("Building");
});
