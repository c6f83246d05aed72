import { afterEach, describe, expect, it } from "vitest";
import { companyHosts, hosts, knownNames } from "../../test-support/released/stand-in/settings.ts";
import { configure } from "../../test-support/released/user-config.ts";
import { ReleasedWorld } from "../../test-support/released/world.ts";

let world: ReleasedWorld;

afterEach(async () => {
  await world.stop();
});

const allowedTargets = new Set([...knownNames].map((name) => `${name}:443`));

describe("behind a TLS-inspecting proxy as the only way to the internet", () => {
  it("brings a stack up with only https_proxy and the authority in trustedCertificates set", async () => {
    world = await ReleasedWorld.start({
      inspecting: true,
      daemon: ({ proxy }) => ({ proxies: { "https-proxy": proxy, "no-proxy": "127.0.0.0/8" } }),
      faults: { blockedNames: ["*"] },
    });
    const env = { https_proxy: world.proxy, NODE_USE_ENV_PROXY: "1" };
    const refused = await world.run("npm", ["run", "--silent", "setup"], { env });
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(
      /certificate.*set trustedCertificates to its authority \(docs\/proxies\.md\)/,
    );

    configure(world, {
      trustedCertificates: world.companyAuthority,
      gatewayEnvironment: {
        OTEL_EXPORTER_OTLP_ENDPOINT: `https://${companyHosts.telemetry}`,
        OTEL_BSP_SCHEDULE_DELAY: "100",
      },
    });
    world.forget();
    const output = await world.npm("up", [], { env });
    expect(output).toMatch(/Sample response from llama3\.2:1b/);
    expect(world.proxied().filter((target) => !allowedTargets.has(target))).toEqual([]);
    expect(world.proxied()).toEqual(
      expect.arrayContaining([`${hosts.github}:443`, `${hosts.hub}:443`, `${hosts.models}:443`]),
    );
    // The gateway also trusts the company's authority, so it exports the traces of the sample prompt.
    await expect.poll(() => statusesOf(companyHosts.telemetry, "/v1/traces")).toContain(200);

    const again = await world.npm("up", [], { env: { HTTPS_PROXY: world.proxy } });
    expect(again).toMatch(/Resources:\n +\d+ unchanged\n/);

    // So does the edge, which requests a certificate from the company's ACME server. It is never issued.
    const hostname = "llm.company.test";
    const acme = { edgeHostnames: [hostname], edgeAcmeDirectory: `https://${companyHosts.acme}/directory` };
    configure(world, { edge: "acme", ...acme });
    const update = world.run("npm", ["run", "--silent", "up"], { env });
    await expect.poll(() => statusesOf(companyHosts.acme, "/directory")).toContain(200);
    await world.stop();
    await update;
  });
});

/** The response statuses for a path of a host. */
function statusesOf(host: string, path: string): number[] {
  return world.requests(host).flatMap((entry) => (entry.path === path ? [entry.status] : []));
}

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
    expect(output).toMatch(/Sample response from llama3\.2:1b/);
    expect(world.requests(new URL(world.mirror).hostname).length).toBeGreaterThan(0);
  });
});
