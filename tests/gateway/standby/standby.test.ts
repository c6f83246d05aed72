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

// Longer than any pause of a busy machine, and short enough to wait for.
const LONG_MS = 120_000;
const SHORT_MS = 3_000;

async function makeSetting(leaseMs: number, handOver?: HandOverTimes): Promise<StandbySetting> {
  const [api, server] = await Promise.all([FakeApiServer.start(), startFake()]);
  server.respondTo(() => [token("x"), last()]);
  return { api, server, leaseMs, ...(handOver === undefined ? {} : { handOver }) };
}

async function startPair(leaseMs: number) {
  const setting = await makeSetting(leaseMs);
  const [active, other] = (await startSome(2, setting, startLocal)) as [LocalStandby, LocalStandby];
  return { ...setting, active, other };
}

async function startProcesses(leaseMs: number) {
  const setting = await makeSetting(leaseMs);
  const [active, other] = (await startSome(2, setting, startProcess)) as [StandbyProcess, StandbyProcess];
  return { ...setting, active, other };
}

const renewals = (api: FakeApiServer): number => api.writesOf("gateway").length;

async function untilRenewed(api: FakeApiServer): Promise<void> {
  const before = renewals(api);
  await expect.poll(() => renewals(api)).toBeGreaterThan(before + 1);
}

test("one of three gateways started together becomes active, and all accept requests", async () => {
  const setting = await makeSetting(LONG_MS);
  const gateways = await startSome(3, setting, startLocal);
  for (const { url } of gateways) expect((await fetch(`${url}/accepting`)).status).toBe(200);
  expect(await Promise.all(gateways.map((each) => each.metric("gateway_active")))).toEqual([1, 0, 0]);
  expect(await Promise.all(gateways.map((each) => each.metric("gateway_active_changes")))).toEqual([1, 0, 0]);
  const [active] = gateways;
  expect(setting.api.find("gateway")).toMatchObject({
    spec: { holderIdentity: active?.pod, leaseDurationSeconds: LONG_MS / 1000, leaseTransitions: 0 },
  });
  expect(setting.api.find("gateway-active")).toMatchObject({
    metadata: {
      labels: { "kubernetes.io/service-name": "gateway" },
      ownerReferences: [{ kind: "Pod", name: active?.pod }],
    },
    addressType: "IPv4",
    endpoints: [{ addresses: [active?.address], conditions: { ready: true } }],
    ports: [{ name: "http", port: 8000 }],
  });
});

test("a standby takes over from a killed gateway when its Lease expires, not sooner", async () => {
  const { api, active, other } = await startProcesses(SHORT_MS);
  active.signal("SIGKILL");
  expect(await untilOneIsActive([other], api)).toBe(other);
  expectFairTakeovers(api);
  expect((await other.chat()).status).toBe(200);
});

test("a gateway frozen during a takeover becomes the standby and closes its clients' connections", async () => {
  const { api, active, other } = await startProcesses(SHORT_MS);
  active.signal("SIGSTOP");
  try {
    await untilOneIsActive([other], api);
  } finally {
    active.signal("SIGCONT");
  }
  // On a busy machine, the Lease may change hands again, possibly more than once.
  const roleAndConnection = async (gateway: StandbyProcess) =>
    [await gateway.role(), (await gateway.chat()).headers.get("connection")].join(": ");
  await expect
    .poll(async () => (await Promise.all([active, other].map(roleAndConnection))).toSorted())
    .toEqual(["active: keep-alive", "standby: close"]);
  expectFairTakeovers(api);
});

test("a drained gateway hands over without failed requests", async () => {
  const { api, active, other } = await startPair(LONG_MS);
  let isOver = false;
  const statuses: number[] = [];
  const client = async () => {
    while (!isOver) {
      const target = [active, other].find(({ address }) => address === servingAddress(api));
      if (target === undefined) throw new Error("the Service has no endpoint");
      statuses.push((await target.chat()).status);
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

test("a drained gateway without a standby reports that it released its Lease, and keeps serving", async () => {
  const setting = await makeSetting(LONG_MS, { releaseMs: LONG_MS, takeoverMs: 0 });
  const alone = await startLocal(1, setting);
  await untilOneIsActive([alone], setting.api);
  expect(await alone.drain()).toMatch(/^released the Lease, but no other gateway took over: /);
  expect(servingAddress(setting.api)).toBe(alone.address);
});

test("a gateway drained while the API server is away reports that it could not release its Lease", async () => {
  const setting = await makeSetting(LONG_MS, { releaseMs: 0, takeoverMs: LONG_MS });
  const alone = await startLocal(1, setting);
  await untilOneIsActive([alone], setting.api);
  setting.api.state = "gone";
  expect(await alone.drain()).toMatch(/^cannot release the Lease of this gateway: /);
});

test("notices a takeover after releasing the Lease, however long the release took", async () => {
  // A release always takes longer than this takeover timeout.
  const setting = await makeSetting(LONG_MS, { releaseMs: LONG_MS, takeoverMs: 0 });
  const alone = await startLocal(1, setting);
  await untilOneIsActive([alone], setting.api);
  setting.api.afterWrite = ({ spec }) => {
    const isReleased = (spec as { holderIdentity?: string } | undefined)?.holderIdentity === "";
    if (isReleased) setting.api.change("gateway-active", { endpoints: [{ addresses: ["192.0.2.2"] }] });
  };
  expect(await alone.drain()).toBe("");
});

test("retries the release of a Lease that changed in between", async () => {
  const setting = await makeSetting(LONG_MS, { releaseMs: LONG_MS, takeoverMs: 0 });
  const alone = await startLocal(1, setting);
  await untilOneIsActive([alone], setting.api);
  let conflicts = 0;
  setting.api.beforeWrite = ({ spec }) => {
    const isRelease = (spec as { holderIdentity?: string } | undefined)?.holderIdentity === "";
    if (!isRelease || conflicts > 0) return;
    conflicts += 1;
    setting.api.change("gateway", {});
  };
  expect(await alone.drain()).toContain("released the Lease");
  expect(conflicts).toBe(1);
  expect(setting.api.writesOf("gateway").map(({ object }) => object["spec"])).toContainEqual(
    expect.objectContaining({ holderIdentity: "" }),
  );
});

test("a gateway releases its Lease on shutdown", async () => {
  const { api, active, other } = await startPair(LONG_MS);
  await active.close();
  expect(await untilOneIsActive([other], api)).toBe(other);
});

test("a restarted container resumes the Lease of its pod", async () => {
  const setting = await startProcesses(LONG_MS);
  setting.active.signal("SIGKILL");
  const again = await startProcess(Number(setting.active.address.split(".").at(-1)), setting);
  expect(await untilOneIsActive([again, setting.other], setting.api)).toBe(again);
});

test.each(["gone", "silent"] as const)(
  "keeps the roles while the API server is %s for a while",
  async (state) => {
    const { api, active, other } = await startPair(LONG_MS);
    api.state = state;
    for (const { output } of [active, other])
      await expect.poll(output).toContain("cannot read or renew the Lease");
    expect((await active.chat()).status).toBe(200);
    expect([await active.role(), await other.role()]).toEqual(["active", "standby"]);
    api.state = "up";
    await untilRenewed(api);
    expect(await active.metric("gateway_active_changes")).toBe(1);
    expect(await other.metric("gateway_active_changes")).toBe(0);
    await expect.poll(() => active.output()).toContain("the cluster's API server is reachable again");
  },
);

test("no gateway is active while the API server stays away, all serve requests, and one is active afterwards", async () => {
  const { api, active, other } = await startPair(SHORT_MS);
  api.state = "gone";
  await expect.poll(() => active.metric("gateway_active")).toBe(0);
  await expect.poll(() => other.metric("gateway_active")).toBe(0);
  for (const each of [active, other]) expect((await each.chat()).status).toBe(200);
  api.state = "up";
  await untilOneIsActive([active, other], api);
  expectFairTakeovers(api);
});

test("reads a replaced service account token again", async () => {
  const { api, active } = await startPair(LONG_MS);
  api.setToken("second-token");
  await untilRenewed(api);
  expect(await active.role()).toBe("active");
  expect(await active.metric("gateway_active_changes")).toBe(1);
  expect(active.output()).not.toContain("token");
});

test("restores its Lease and EndpointSlice when they are changed or deleted", async () => {
  const { api, active } = await startPair(LONG_MS);
  const isServing = () => servingAddress(api) === active.address;
  api.change("gateway-active", { endpoints: [] });
  await expect.poll(isServing).toBe(true);
  api.remove("gateway-active");
  await expect.poll(isServing).toBe(true);
  api.remove("gateway");
  await expect
    .poll(() => (api.find("gateway")?.["spec"] as { holderIdentity?: string } | undefined)?.holderIdentity)
    .toBeTruthy();
});

test("a gateway without a Lease reports no role and no role metrics", async () => {
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
