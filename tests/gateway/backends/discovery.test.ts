import dns, { type LookupAddress } from "node:dns";
import { expect, onTestFinished, test, vi } from "vitest";
import { newKey } from "../../../gateway/src/auth/api-keys.ts";
import { Backend } from "../../../gateway/src/backends/backend.ts";
import { DiscoveredName } from "../../../gateway/src/backends/discovered-name.ts";
import { readConfig } from "../../../gateway/src/config/config.ts";
import type { OllamaClient } from "../../../gateway/src/ollama/client.ts";
import { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import {
  hello,
  metric,
  readEvents,
  ready,
  startFake,
  startGateway,
  type TestGateway,
} from "../../../test-support/gateway/gateway-harness.ts";

const chat = "/v1/chat/completions";
const streamed = { ...hello, stream: true };

/** The result for the name ollama.test; undefined if the resolver does not respond. */
type Resolution = readonly string[] | { readonly code: string } | undefined;

/** Mocks the resolver; assign `now` to change its result. */
function mockResolver(first: Resolution): { now: Resolution; readonly lookups: number } {
  const state = { now: first, lookups: 0 };
  const real = dns.lookup.bind(dns) as (...all: unknown[]) => void;
  const mock = vi.spyOn(dns, "lookup").mockImplementation((...all: unknown[]) => {
    if (all[0] !== "ollama.test") {
      real(...all);
      return;
    }
    state.lookups += 1;
    const { now } = state;
    const done = all.at(-1) as (error: Error | null, found?: readonly LookupAddress[]) => void;
    if (now === undefined) return;
    if ("code" in now) done(Object.assign(new Error(`getaddrinfo ${now.code}`), now));
    else
      done(
        null,
        now.map((address) => ({ address, family: address.includes(":") ? 6 : 4 })),
      );
  });
  onTestFinished(() => {
    mock.mockRestore();
  });
  return state;
}

/** Starts fakes on several addresses with the same port. */
async function startAt(...hosts: readonly string[]): Promise<FakeOllama[]> {
  const first = await startFake();
  const others = await Promise.all(hosts.slice(1).map((host) => FakeOllama.start(first.port, host)));
  onTestFinished(async () => {
    await Promise.all(others.map((each) => each.stop()));
  });
  return [first, ...others];
}

function startDiscovering(port: number, environment: Record<string, string> = {}): Promise<TestGateway> {
  return startGateway(
    { port },
    {
      LLM_BACKENDS: `dns+ollama.test:${port}*1`,
      POLL_INTERVAL_MS: "30",
      ...environment,
    },
  );
}

async function backendsUp(gateway: TestGateway): Promise<string[]> {
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  return [...text.matchAll(/^gateway_backend_up\{backend="(.*):\d+"\} 1$/gm)].map(([, host = ""]) => host);
}

test("uses each address of a name as a server, in an order independent of the resolver's", async () => {
  const dnsNow = mockResolver(["127.0.0.3", "127.0.0.1", "127.0.0.2"]);
  const fakes = await startAt("127.0.0.1", "127.0.0.2", "127.0.0.3");
  for (const fake of fakes) fake.respondWith(token("x"), "hang");
  const [{ port } = { port: 0 }] = fakes;
  const gateway = await startDiscovering(port);
  const order = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
  await expect.poll(() => backendsUp(gateway)).toEqual(order);
  await metric(gateway.url, `gateway_backend_discovery_addresses{name="ollama.test:${port}"} 3`);
  const before = dnsNow.lookups;
  dnsNow.now = ["127.0.0.2", "127.0.0.3", "127.0.0.1"];
  await expect.poll(() => dnsNow.lookups).toBeGreaterThan(before + 1);
  expect(await backendsUp(gateway)).toEqual(order);
  const responses = [];
  for (let n = 0; n < 3; n += 1) responses.push(await gateway.post(chat, streamed));
  expect(fakes.map(({ received }) => received.length)).toEqual([1, 1, 1]);
  for (const response of responses) await response.body?.cancel();
});

test("uses an added address and sends no new requests to a removed one, whose streams continue", async () => {
  const dnsNow = mockResolver(["127.0.0.1"]);
  const [old, next] = (await startAt("127.0.0.1", "127.0.0.2")) as [FakeOllama, FakeOllama];
  const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
  old.respondWith(token("Hel"), { until: released }, token("lo"), last());
  const gateway = await startDiscovering(old.port, { OLLAMA_NUM_PARALLEL: "1" });
  const stream = await gateway.post(chat, streamed);
  const waiting = gateway.post(chat, hello);
  await metric(gateway.url, "gateway_queue_depth 1");
  dnsNow.now = ["127.0.0.1", "127.0.0.2"];
  expect((await waiting).status).toBe(200);
  expect(next.received).toHaveLength(1);
  dnsNow.now = ["127.0.0.2"];
  await expect.poll(() => backendsUp(gateway)).toEqual(["127.0.0.2"]);
  for (let n = 0; n < 3; n += 1) expect((await gateway.post(chat, hello)).status).toBe(200);
  release(undefined);
  const { data, brokenOff } = await readEvents(stream);
  expect([data.at(-1), brokenOff]).toEqual(["[DONE]", false]);
  expect(data.join("")).toContain('"lo"');
  expect([old.received.length, next.received.length]).toEqual([1, 4]);
  const changes = gateway.log.filter((line) => line.includes("Ollama servers changed"));
  expect(changes.map((line) => JSON.parse(line) as object)).toMatchObject([
    { added: [`127.0.0.1:${old.port}`] },
    { added: [`127.0.0.2:${old.port}`] },
    { removed: [`127.0.0.1:${old.port}`], servers: 1 },
  ]);
});

test("treats an address that returns while a stream still runs there as the same server", async () => {
  const dnsNow = mockResolver(["127.0.0.1", "127.0.0.2"]);
  const [old, other] = (await startAt("127.0.0.1", "127.0.0.2")) as [FakeOllama, FakeOllama];
  old.respondWith(token("x"), "hang");
  const gateway = await startDiscovering(old.port);
  await expect.poll(() => backendsUp(gateway)).toHaveLength(2);
  const stream = await gateway.post(chat, streamed);
  expect(old.received).toHaveLength(1);
  dnsNow.now = ["127.0.0.2"];
  await expect.poll(() => backendsUp(gateway)).toEqual(["127.0.0.2"]);
  dnsNow.now = ["127.0.0.1", "127.0.0.2"];
  await expect.poll(() => backendsUp(gateway)).toHaveLength(2);
  await metric(gateway.url, `gateway_backend_requests_in_flight{backend="127.0.0.1:${old.port}"} 1`);
  expect((await gateway.post(chat, hello)).status).toBe(200);
  expect([old.received.length, other.received.length]).toEqual([1, 1]);
  await stream.body?.cancel();
});

test.each<[string, Resolution]>([
  ["fails", { code: "EAI_AGAIN" }],
  ["does not respond", undefined],
])("keeps the servers if the resolver %s and logs that once", async (_how, broken) => {
  const dnsNow = mockResolver(["127.0.0.1"]);
  const fake = await startFake();
  const gateway = await startDiscovering(fake.port, { PROBE_TIMEOUT_MS: "200" });
  // On a busy machine a probe can time out; the next one finds the server again.
  const expectSuccess = () => expect.poll(async () => (await gateway.post(chat, hello)).status).toBe(200);
  await expectSuccess();
  const failing = (value: number): string =>
    `gateway_backend_discovery_failing{name="ollama.test:${fake.port}"} ${value}`;
  dnsNow.now = broken;
  await metric(gateway.url, failing(1));
  await expectSuccess();
  await metric(gateway.url, `gateway_backend_discovery_addresses{name="ollama.test:${fake.port}"} 1`);
  const before = dnsNow.lookups;
  if (broken !== undefined) await expect.poll(() => dnsNow.lookups).toBeGreaterThan(before + 2);
  expect(gateway.log.filter((line) => line.includes("cannot look up Ollama servers"))).toHaveLength(1);
});

test("requests wait with comments until the first server appears", async () => {
  const dnsNow = mockResolver({ code: "ENOTFOUND" });
  const fake = await startFake();
  const gateway = await startDiscovering(fake.port, { LOADING_COMMENT_MS: "20" });
  const accepting = async (): Promise<number> => (await fetch(`${gateway.url}/accepting`)).status;
  await expect.poll(accepting).toBe(200);
  const response = await fetch(`${gateway.url}/ready`);
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({
    status: "not_ready",
    reason:
      "There is no Ollama server: the DNS name in LLM_BACKENDS has no addresses. Requests wait in the queue.",
  });
  const buffered = gateway.post(chat, hello);
  const { promise: commented, resolve: seen } = Promise.withResolvers<undefined>();
  const stream = gateway.post(chat, streamed).then((each) =>
    readEvents(each, (text) => {
      if (text.includes(": loading\n\n")) seen(undefined);
    }),
  );
  await metric(gateway.url, "gateway_queue_depth 2");
  await commented;
  dnsNow.now = ["127.0.0.1"];
  expect((await buffered).status).toBe(200);
  expect((await stream).data.at(-1)).toBe("[DONE]");
  await expect.poll(async () => (await fetch(`${gateway.url}/ready`)).status).toBe(200);
});

test("a request waits with comments after the last server was removed and runs on the next one", async () => {
  const dnsNow = mockResolver(["127.0.0.1"]);
  const [old, next] = (await startAt("127.0.0.1", "127.0.0.2")) as [FakeOllama, FakeOllama];
  const gateway = await startDiscovering(old.port, { LOADING_COMMENT_MS: "20" });
  expect((await gateway.post(chat, hello)).status).toBe(200);
  // Scaling to zero removes the address before it stops the server.
  dnsNow.now = { code: "ENOTFOUND" };
  await metric(gateway.url, `gateway_backend_discovery_addresses{name="ollama.test:${old.port}"} 0`);
  const { promise: commented, resolve: seen } = Promise.withResolvers<undefined>();
  const stream = gateway.post(chat, streamed).then((each) =>
    readEvents(each, (text) => {
      if (text.includes(": loading\n\n")) seen(undefined);
    }),
  );
  await commented;
  // An autoscaler sees from these metrics that a server is needed.
  await metric(gateway.url, "gateway_queue_depth 1");
  await metric(gateway.url, "gateway_requests_in_flight 0");
  dnsNow.now = ["127.0.0.2"];
  expect((await stream).data.at(-1)).toBe("[DONE]");
  expect([old.received.length, next.received.length]).toEqual([1, 1]);
});

test("fails a request with queue_timeout if no server appears in time", async () => {
  mockResolver([]);
  const gateway = await startDiscovering(11_434, { QUEUE_TIMEOUT_MS: "50" });
  const response = await gateway.post(chat, hello);
  expect(response.status).toBe(503);
  expect(await response.json()).toMatchObject({ error: { code: "queue_timeout" } });
});

test("a name without dns+ is one server, however many addresses it has", async () => {
  mockResolver(["127.0.0.1", "127.0.0.2"]);
  const fake = await startFake();
  const gateway = await startGateway(fake, { LLM_BACKENDS: `ollama.test:${fake.port}` });
  await metric(gateway.url, `gateway_backend_up{backend="ollama.test:${fake.port}"} 1`);
  const text = await (await fetch(`${gateway.url}/metrics`)).text();
  expect(text.match(/^gateway_backend_up\{/gm)).toHaveLength(1);
  expect(text).not.toContain("gateway_backend_discovery");
});

test("keeps a server that responds while its name cannot be resolved", async () => {
  const dnsNow = mockResolver(["10.0.0.1"]);
  const reconnect = vi.fn();
  const client: Partial<OllamaClient> = {
    version: () => Promise.resolve("fake"),
    running: () => Promise.resolve({ models: [], now: 0 }),
    reconnect,
  };
  const host = { host: "ollama.test", port: 11_434 };
  const backend = new Backend(readConfig({}), host, () => client as OllamaClient);
  for (const resolution of [["10.0.0.1"], { code: "EAI_AGAIN" }, ["10.0.0.1"]]) {
    dnsNow.now = resolution;
    await backend.state.refresh();
    expect(backend.alive).toBe(true);
  }
  expect(reconnect).not.toHaveBeenCalled();
  dnsNow.now = ["10.0.0.2"];
  await backend.state.refresh();
  expect(reconnect).toHaveBeenCalledOnce();
});

test("rejects requests that change a server if servers are discovered", async () => {
  mockResolver(["127.0.0.1"]);
  const fake = await startFake();
  const admin = newKey("admin", ["admin"]);
  const gateway = await startDiscovering(fake.port, { API_KEYS: admin.line });
  await ready(gateway);
  const headers = { "content-type": "application/json", "x-api-key": admin.key };
  const rejected = await gateway.post("/api/pull", { model: "m" }, { headers });
  expect([rejected.status, await rejected.text()]).toEqual([
    409,
    expect.stringContaining("several Ollama servers"),
  ]);
});

const address = { host: "ollama.test", port: 11_434, everyAddress: true } as const;
const hostsOf = ({ addresses }: DiscoveredName): string[] => addresses.map(({ host }) => host);

test("uses only one address family of a name", async () => {
  const dnsNow = mockResolver(["fd00::2", "10.0.0.2", "10.0.0.1", "fd00::1"]);
  const name = new DiscoveredName(address, 1000);
  await name.refresh();
  expect(hostsOf(name)).toEqual(["10.0.0.1", "10.0.0.2"]);
  dnsNow.now = ["fd00::2", "fd00::1"];
  await name.refresh();
  expect(hostsOf(name)).toEqual(["fd00::1", "fd00::2"]);
});

test("removes the addresses of a name after two consecutive lookups without any", async () => {
  const dnsNow = mockResolver(["10.0.0.1"]);
  const name = new DiscoveredName(address, 1000);
  await name.refresh();
  dnsNow.now = { code: "ENOTFOUND" };
  await name.refresh();
  expect(hostsOf(name)).toEqual(["10.0.0.1"]);
  dnsNow.now = ["10.0.0.1"];
  await name.refresh();
  dnsNow.now = { code: "ENOTFOUND" };
  await name.refresh();
  expect(hostsOf(name)).toEqual(["10.0.0.1"]);
  await name.refresh();
  expect([hostsOf(name), name.failure]).toEqual([[], undefined]);
});

test("counts a lookup without addresses once even if two callers wait for it", async () => {
  const dnsNow = mockResolver(["10.0.0.1"]);
  const name = new DiscoveredName(address, 1000);
  await name.refresh();
  dnsNow.now = { code: "ENOTFOUND" };
  await Promise.all([name.refresh(), name.refresh()]);
  expect(hostsOf(name)).toEqual(["10.0.0.1"]);
});

test("uses at most 1,024 addresses of a name", async () => {
  mockResolver(Array.from({ length: 5000 }, (_, n) => `10.0.${n >> 8}.${n & 255}`));
  const name = new DiscoveredName(address, 1000);
  await name.refresh();
  expect(name.addresses).toHaveLength(1024);
});
