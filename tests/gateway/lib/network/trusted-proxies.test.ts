import dns from "node:dns/promises";
import { afterEach, describe, expect, it, vi } from "vitest";
import { parseProxies, TrustedProxies } from "../../../../gateway/src/lib/network/trusted-proxies.ts";
import { last } from "../../../../test-support/fakes/ollama/steps.ts";
import { hello, startFake, startGateway } from "../../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";

/** The address logged for a request from 127.0.0.1 with the given X-Forwarded-For header. */
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
    ["is the connection's without a header", undefined, "", "127.0.0.1"],
    ["is the connection's if no proxy is trusted", "10.1.2.3", "", "127.0.0.1"],
    [
      "is the connection's if only other proxies are trusted",
      "10.1.2.3",
      "10.0.0.0/8,edge.invalid",
      "127.0.0.1",
    ],
    ["is taken from a trusted proxy", "192.0.2.7", "127.0.0.1", "192.0.2.7"],
    ["is taken from a proxy in a trusted network", "2001:db8::7", "127.0.0.0/8", "2001:db8::7"],
    ["is taken from a proxy trusted by name", "192.0.2.7", "localhost", "192.0.2.7"],
    [
      "is the last one that is not a trusted proxy",
      "6.6.6.6, 192.0.2.7, 10.0.0.1",
      "127.0.0.1,10.0.0.0/8",
      "192.0.2.7",
    ],
    ["is the proxy's if the proxy forwards no address", "unknown", "127.0.0.1", "127.0.0.1"],
  ])("%s", async (_, forwarded, trusted, address) => {
    expect(await loggedAddress(forwarded, trusted)).toBe(address);
  });

  it("is logged for every request with an invalid key, including /metrics", async () => {
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
  const mockLookup = (...addresses: string[]) =>
    vi.spyOn(dns, "lookup").mockResolvedValue(addresses.map((address) => ({ address, family: 4 })) as never);

  it("is resolved again for an unknown address, and its previous address loses trust", async () => {
    const proxies = new TrustedProxies(parseProxies(["edge"]));
    mockLookup("172.18.0.5");
    expect(proxies.mayTrust("::ffff:172.18.0.5")).toBe(true);
    await proxies.refresh();
    expect(proxies.trusts("::ffff:172.18.0.5")).toBe(true);
    expect(proxies.mayTrust("172.18.0.5")).toBe(false);
    mockLookup("172.18.0.6");
    expect(proxies.mayTrust("172.18.0.6")).toBe(true);
    await proxies.refresh();
    expect([proxies.trusts("172.18.0.6"), proxies.trusts("172.18.0.5")]).toEqual([true, false]);
  });

  it("is resolved once for all waiting requests, and no address is trusted if that fails", async () => {
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
    "rejects %s and names it",
    (entry) => {
      expect(() => parseProxies([entry])).toThrow(`${entry} is not an address, network or host name`);
    },
  );
});
