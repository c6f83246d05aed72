import dns from "node:dns/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { parseProxies, TrustedProxies } from "../../../../gateway/src/lib/network/trusted-proxies.ts";
import { last } from "../../../../test-support/fakes/ollama/steps.ts";
import { hello, startFake, startGateway } from "../../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";

/** The address that the log has for a request with an X-Forwarded-For, sent from 127.0.0.1. */
async function loggedAddress(forwarded: string | undefined, trusted: string): Promise<unknown> {
  const fake = await startFake();
  fake.respondWith(last());
  const gateway = await startGateway(fake, { TRUSTED_PROXIES: trusted });
  const headers = {
    "content-type": "application/json",
    ...(forwarded === undefined ? {} : { "x-forwarded-for": forwarded }),
  };
  await (await gateway.post(chat, hello, { headers })).text();
  return (await gateway.requestLine(chat))["client_ip"];
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the client's address", () => {
  it.each<[string, string | undefined, string, string]>([
    ["is the connection's", undefined, "", "127.0.0.1"],
    ["is never what a stranger says it is", "10.1.2.3", "", "127.0.0.1"],
    [
      "is never what a stranger says, whoever else is trusted",
      "10.1.2.3",
      "10.0.0.0/8,edge.invalid",
      "127.0.0.1",
    ],
    ["is what a trusted proxy says", "192.0.2.7", "127.0.0.1", "192.0.2.7"],
    ["is what a proxy of a trusted network says", "2001:db8::7", "127.0.0.0/8", "2001:db8::7"],
    ["is what a proxy trusted by its name says", "192.0.2.7", "localhost", "192.0.2.7"],
    [
      "is the last that no trusted proxy has",
      "6.6.6.6, 192.0.2.7, 10.0.0.1",
      "127.0.0.1,10.0.0.0/8",
      "192.0.2.7",
    ],
    ["is the proxy's when the proxy passes on no address", "unknown", "127.0.0.1", "127.0.0.1"],
  ])("%s", async (_, forwarded, trusted, address) => {
    expect(await loggedAddress(forwarded, trusted)).toBe(address);
  });

  it("is logged for each request that was refused for its key, /metrics too", async () => {
    const gateway = await startGateway(
      { port: 1 },
      {
        API_KEYS: `ada sha256=${"0".repeat(64)}`,
        LOG_LEVEL: "info",
        TRUSTED_PROXIES: "127.0.0.1",
      },
    );
    for (const [n, path] of [chat, "/metrics", "/metrics"].entries()) {
      const headers = { authorization: "Bearer wrong", "x-forwarded-for": `192.0.2.${n}` };
      const { status } = await fetch(gateway.url + path, { headers, method: path === chat ? "POST" : "GET" });
      expect(status).toBe(401);
    }
    expect(await gateway.requestLine(chat)).toMatchObject({ status: 401, client_ip: "192.0.2.0" });
    expect(await gateway.requestLine("/metrics", 0)).toMatchObject({ status: 401, client_ip: "192.0.2.1" });
    expect(await gateway.requestLine("/metrics", 1)).toMatchObject({ status: 401, client_ip: "192.0.2.2" });
  });
});

describe("a proxy's name", () => {
  const resolvesTo = (...addresses: string[]) =>
    vi.spyOn(dns, "lookup").mockResolvedValue(addresses.map((address) => ({ address, family: 4 })) as never);

  it("is looked up again when an address is not known, and what it had before is not trusted any more", async () => {
    const proxies = new TrustedProxies(parseProxies(["edge"]));
    resolvesTo("172.18.0.5");
    expect(proxies.mayTrust("::ffff:172.18.0.5")).toBe(true);
    await proxies.refresh();
    expect(proxies.trusts("::ffff:172.18.0.5")).toBe(true);
    expect(proxies.mayTrust("172.18.0.5")).toBe(false);
    resolvesTo("172.18.0.6");
    expect(proxies.mayTrust("172.18.0.6")).toBe(true);
    await proxies.refresh();
    expect([proxies.trusts("172.18.0.6"), proxies.trusts("172.18.0.5")]).toEqual([true, false]);
  });

  it("is looked up once for all requests that wait, and trusts nobody when it is not found", async () => {
    const proxies = new TrustedProxies(parseProxies(["edge"]));
    const lookup = vi.spyOn(dns, "lookup").mockRejectedValue(new Error("ENOTFOUND"));
    await Promise.all([proxies.refresh(), proxies.refresh(), proxies.refresh()]);
    expect(lookup).toHaveBeenCalledTimes(1);
    expect(proxies.trusts("172.18.0.5")).toBe(false);
    expect(proxies.trusts(undefined)).toBe(false);
  });
});

describe("TRUSTED_PROXIES", () => {
  it.each(["10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "10.0.0.256", "http://edge", "ed ge", "::1/129", "*"])(
    "refuses %s by name",
    (entry) => {
      expect(() => parseProxies([entry])).toThrow(`${entry} is not an address, network or host name`);
    },
  );
});
