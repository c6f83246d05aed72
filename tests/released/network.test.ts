import { afterEach, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { hosts, knownNames } from "../../test-support/released/stand-in/settings.ts";
import { ReleasedWorld } from "../../test-support/released/world.ts";

let world: ReleasedWorld;

afterEach(async () => {
  await world.stop();
});

const expected = new Set([...knownNames].map((name) => `${name}:443`));

/** Changes the config of the stack dev in the user's copy, as an editor would. */
function configure(values: Readonly<Record<string, unknown>>): void {
  const path = join(world.folder, "home", "ollama-stack", "Pulumi.dev.yaml");
  const file = parse(readFileSync(path, "utf8")) as { config: Record<string, unknown> };
  for (const [key, value] of Object.entries(values)) file.config[`ollama-stack:${key}`] = value;
  writeFileSync(path, stringify(file));
}

describe("behind a proxy, with nothing else to reach the internet", () => {
  it("brings a stack up with https_proxy alone, which Ollama gets with the certificates that the stack names", async () => {
    world = await ReleasedWorld.start({
      trustInImages: false,
      daemon: ({ proxy }) => ({ proxies: { "https-proxy": proxy, "no-proxy": "127.0.0.0/8" } }),
      faults: { blockedNames: ["*"] },
    });
    configure({ trustedCertificates: world.authority });
    const output = await world.npm("up", [], { env: { https_proxy: world.proxy, NODE_USE_ENV_PROXY: "1" } });
    expect(output).toMatch(/Asked llama3\.2:1b for a joke/);
    expect(world.proxied().filter((target) => !expected.has(target))).toEqual([]);
    expect(world.proxied()).toEqual(
      expect.arrayContaining([`${hosts.github}:443`, `${hosts.hub}:443`, `${hosts.models}:443`]),
    );
    const again = await world.npm("up", [], { env: { HTTPS_PROXY: world.proxy } });
    expect(again).toMatch(/Resources:\n +\d+ unchanged\n/);
  });
});

describe("through a mirror of Docker Hub, with Debian's old client", () => {
  it("brings a stack up", async () => {
    world = await ReleasedWorld.start({
      daemon: ({ mirror }) => ({
        "registry-mirrors": [mirror],
        "insecure-registries": [new URL(mirror).host],
      }),
      faults: { blockedNames: [hosts.hub, hosts.hubTokens, hosts.hubBlobs] },
    });
    const output = await world.npm("up", [], { pathFirst: ["/run/node/bin", "/usr/bin"] });
    expect(output).toContain("tools: released");
    expect(output).toMatch(/Asked llama3\.2:1b for a joke/);
    expect(world.requests(new URL(world.mirror).hostname).length).toBeGreaterThan(0);
  });
});
