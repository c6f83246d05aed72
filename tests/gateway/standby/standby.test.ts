import { expect, test } from "vitest";
import { readConfig } from "../../../gateway/src/config/config.ts";
import type { HandOverTimes } from "../../../gateway/src/standby/standby.ts";
import { FakeApiServer } from "../../../test-support/fakes/fake-api-server.ts";
import type { FakeOllama } from "../../../test-support/fakes/ollama/fake-ollama.ts";
import { last, token } from "../../../test-support/fakes/ollama/steps.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import {
  expectFairTakeovers,
  servingAddress,
  type LocalStandby,
  startLocal,
  startProcess,
  startSome,
  type StandbyProcess,
  type StandbySetting,
  untilOneIsActive,
} from "../../../test-support/gateway/standby-gateways.ts";

// Longer than a busy machine pauses, and short enough to wait for its end.
const LONG_MS = 120_000;
const SHORT_MS = 3_000;

async function setting(leaseMs: number, handOver?: HandOverTimes): Promise<StandbySetting> {
  const [api, server] = await Promise.all([FakeApiServer.start(), startFake()]);
  server.respondTo(() => [token("x"), last()]);
  return { api, server, leaseMs, ...(handOver === undefined ? {} : { handOver }) };
}

async function pairOf(leaseMs: number) {
  const given = await setting(leaseMs);
  const [active, other] = (await startSome(2, given, startLocal)) as [LocalStandby, LocalStandby];
  return { ...given, active, other };
}

async function processesOf(leaseMs: number) {
  const given = await setting(leaseMs);
  const [active, other] = (await startSome(2, given, startProcess)) as [StandbyProcess, StandbyProcess];
  return { ...given, active, other };
}

const renewals = (api: FakeApiServer): number => api.writesOf("gateway").length;

async function goesOn(api: FakeApiServer): Promise<void> {
  const before = renewals(api);
  await expect.poll(() => renewals(api)).toBeGreaterThan(before + 1);
}

test("of three gateways that start at once one becomes active, and all of them accept requests", async () => {
  const given = await setting(LONG_MS);
  const gateways = await startSome(3, given, startLocal);
  for (const { url } of gateways) expect((await fetch(`${url}/accepting`)).status).toBe(200);
  expect(await Promise.all(gateways.map((each) => each.metric("gateway_active")))).toEqual([1, 0, 0]);
  expect(await Promise.all(gateways.map((each) => each.metric("gateway_active_changes")))).toEqual([1, 0, 0]);
  const [active] = gateways;
  expect(given.api.find("gateway")).toMatchObject({
    spec: { holderIdentity: active?.pod, leaseDurationSeconds: LONG_MS / 1000, leaseTransitions: 0 },
  });
  expect(given.api.find("gateway-active")).toMatchObject({
    metadata: {
      labels: { "kubernetes.io/service-name": "gateway" },
      ownerReferences: [{ kind: "Pod", name: active?.pod }],
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [active?.address], conditions: { ready: true } }],
    ports: [{ name: "http", port: 8000 }],
  });
});

test("a gateway that stands by takes over once the Lease of one that was killed has run out, not sooner", async () => {
  const { api, active, other } = await processesOf(SHORT_MS);
  active.signal("SIGKILL");
  expect(await untilOneIsActive([other], api)).toBe(other);
  expectFairTakeovers(api);
  expect((await other.chat()).status).toBe(200);
});

test("a gateway that was frozen while another one took over stands by, and sends its clients there", async () => {
  const { api, active, other } = await processesOf(SHORT_MS);
  active.signal("SIGSTOP");
  try {
    await untilOneIsActive([other], api);
  } finally {
    active.signal("SIGCONT");
  }
  // On a busy machine, the Lease may change hands again, and more than once.
  const conduct = async (gateway: StandbyProcess) =>
    [await gateway.role(), (await gateway.chat()).headers.get("connection")].join(": ");
  await expect
    .poll(async () => (await Promise.all([active, other].map(conduct))).toSorted())
    .toEqual(["active: keep-alive", "standby: close"]);
  expectFairTakeovers(api);
});

test("a gateway that is drained hands over, and no request fails meanwhile", async () => {
  const { api, active, other } = await pairOf(LONG_MS);
  let isOver = false;
  const statuses: number[] = [];
  const client = async () => {
    while (!isOver) {
      const to = [active, other].find(({ address }) => address === servingAddress(api));
      if (to === undefined) throw new Error("the Service has no gateway");
      statuses.push((await to.chat()).status);
    }
  };
  const clients = [client(), client()];
  expect(await active.drain()).toBe("");
  expect(servingAddress(api)).toBe(other.address);
  const served = statuses.length;
  await expect.poll(() => statuses.length).toBeGreaterThan(served + 5);
  isOver = true;
  await Promise.all(clients);
  expect(new Set(statuses)).toEqual(new Set([200]));
  expect(await active.role()).toBe("standby");
  await untilOneIsActive([other], api);
  expectFairTakeovers(api);
});

test("a gateway that is drained without another one reports that it released its Lease, and goes on", async () => {
  const given = await setting(LONG_MS, { releaseMs: LONG_MS, takeoverMs: 0 });
  const alone = await startLocal(1, given);
  await untilOneIsActive([alone], given.api);
  expect(await alone.drain()).toMatch(/^released the Lease, but no other gateway took over: /);
  expect(servingAddress(given.api)).toBe(alone.address);
});

test("a gateway that is drained while the API server is away reports that it could not release its Lease", async () => {
  const given = await setting(LONG_MS, { releaseMs: 0, takeoverMs: LONG_MS });
  const alone = await startLocal(1, given);
  await untilOneIsActive([alone], given.api);
  given.api.state = "gone";
  expect(await alone.drain()).toMatch(/^cannot release the Lease of this gateway: /);
});

test("a takeover after the Lease was given up is seen, however long it took to give it up", async () => {
  // Whatever a release takes, it takes longer than this.
  const given = await setting(LONG_MS, { releaseMs: LONG_MS, takeoverMs: 0 });
  const alone = await startLocal(1, given);
  await untilOneIsActive([alone], given.api);
  given.api.afterWrite = ({ spec }) => {
    const isReleased = (spec as { holderIdentity?: string } | undefined)?.holderIdentity === "";
    if (isReleased) given.api.change("gateway-active", { endpoints: [{ addresses: ["192.0.2.2"] }] });
  };
  expect(await alone.drain()).toBe("");
});

test("a Lease that changes while it is given up is given up after all", async () => {
  const given = await setting(LONG_MS, { releaseMs: LONG_MS, takeoverMs: 0 });
  const alone = await startLocal(1, given);
  await untilOneIsActive([alone], given.api);
  let conflicts = 0;
  given.api.beforeWrite = ({ spec }) => {
    const isRelease = (spec as { holderIdentity?: string } | undefined)?.holderIdentity === "";
    if (!isRelease || conflicts > 0) return;
    conflicts += 1;
    given.api.change("gateway", {});
  };
  expect(await alone.drain()).toContain("released the Lease");
  expect(conflicts).toBe(1);
  expect(given.api.writesOf("gateway").map(({ object }) => object["spec"])).toContainEqual(
    expect.objectContaining({ holderIdentity: "" }),
  );
});

test("a gateway that ends gives its Lease up", async () => {
  const { api, active, other } = await pairOf(LONG_MS);
  await active.close();
  expect(await untilOneIsActive([other], api)).toBe(other);
});

test("a container that is started again goes on with the Lease of its pod", async () => {
  const given = await processesOf(LONG_MS);
  given.active.signal("SIGKILL");
  const again = await startProcess(Number(given.active.address.split(".").at(-1)), given);
  expect(await untilOneIsActive([again, given.other], given.api)).toBe(again);
});

test.each(["gone", "silent"] as const)(
  "an API server that is %s for a while changes nothing",
  async (state) => {
    const { api, active, other } = await pairOf(LONG_MS);
    api.state = state;
    for (const { output } of [active, other])
      await expect.poll(output).toContain("cannot read or renew the Lease");
    expect((await active.chat()).status).toBe(200);
    expect([await active.role(), await other.role()]).toEqual(["active", "standby"]);
    api.state = "up";
    await goesOn(api);
    expect(await active.metric("gateway_active_changes")).toBe(1);
    expect(await other.metric("gateway_active_changes")).toBe(0);
    await expect.poll(() => active.output()).toContain("the cluster's API server is reachable again");
  },
);

test("with the API server away for longer none is active, requests are served, and one is active afterwards", async () => {
  const { api, active, other } = await pairOf(SHORT_MS);
  api.state = "gone";
  await expect.poll(() => active.metric("gateway_active")).toBe(0);
  await expect.poll(() => other.metric("gateway_active")).toBe(0);
  for (const each of [active, other]) expect((await each.chat()).status).toBe(200);
  api.state = "up";
  await untilOneIsActive([active, other], api);
  expectFairTakeovers(api);
});

test("a token that was replaced is read again", async () => {
  const { api, active } = await pairOf(LONG_MS);
  api.setToken("second-token");
  await goesOn(api);
  expect(await active.role()).toBe("active");
  expect(await active.metric("gateway_active_changes")).toBe(1);
  expect(active.output()).not.toContain("token");
});

test("what somebody changes or deletes comes back", async () => {
  const { api, active } = await pairOf(LONG_MS);
  const here = () => servingAddress(api) === active.address;
  api.change("gateway-active", { endpoints: [] });
  await expect.poll(here).toBe(true);
  api.remove("gateway-active");
  await expect.poll(here).toBe(true);
  api.remove("gateway");
  await expect
    .poll(() => (api.find("gateway")?.["spec"] as { holderIdentity?: string } | undefined)?.holderIdentity)
    .toBeTruthy();
});

test("a gateway without a Lease has no role and no metrics of it", async () => {
  const server: FakeOllama = await startFake();
  const gateway = await startGateway(server);
  await expect.poll(async () => (await fetch(`${gateway.url}/ready`)).json()).toEqual({ status: "ready" });
  expect(await (await fetch(`${gateway.url}/metrics`)).text()).not.toContain("gateway_active");
});

test.each([
  [{ STANDBY_LEASE: "gateway" }, /STANDBY_LEASE=gateway: it is not NAMESPACE\/NAME; must be NAMESPACE\/NAME/],
  [
    { STANDBY_LEASE: "llm/gateway", POD_NAME: "gateway-1" },
    /STANDBY_LEASE: it needs POD_UID, POD_IP, KUBERNETES_SERVICE_HOST, which are empty$/,
  ],
  [
    {
      STANDBY_LEASE: "llm/gateway",
      POD_NAME: "gateway-1",
      POD_UID: "uid-1",
      KUBERNETES_SERVICE_HOST: "10.0.0.1",
    },
    /STANDBY_LEASE: it needs POD_IP, which is empty$/,
  ],
  [{ STANDBY_LEASE_DURATION_MS: "10" }, /STANDBY_LEASE_DURATION_MS=10: must be a whole number from 1000/],
])("a gateway does not start with %j", (environment, message) => {
  expect(() => readConfig(environment)).toThrow(message);
});
