import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { gatewayTarget, isSuperseded } from "../../cluster/gateway-target.ts";
import { Kubectl } from "../../cluster/kubectl.ts";
import { keepForwarded, withForward } from "../../cluster/port-forward.ts";
import type { Pod } from "../../test-support/cluster/stack/cluster-stack.ts";
import { podProcess } from "../../test-support/cluster/stack/pod-process.ts";
import { shareStack } from "../../test-support/cluster/stack/share-stack.ts";
import { reachPods } from "../../test-support/cluster/machines/network.ts";

// An active gateway and a standby on two nodes, deployed with the rights of docs/kubernetes.md.

const clients = 6;
const tokens = 16;

const running = shareStack("k8s-standby", async (stack) => {
  stack.useRightsOfDocument("ollama-stack-standby");
  stack.project.configure({ gatewayReplicas: 2 });
  await stack.update();
});

interface Slice {
  readonly metadata: { readonly name: string };
  readonly endpoints?: readonly { readonly targetRef: { readonly name: string } }[] | null;
}

/** The EndpointSlices of the gateway's Service. */
function slices(): readonly Slice[] {
  const selector = "--selector=kubernetes.io/service-name=gateway";
  const { items } = running().cluster.get(
    "endpointslices",
    `--namespace=${running().namespace}`,
    selector,
  ) as { readonly items: readonly Slice[] };
  return items;
}

/** The names of the pods that the Service sends requests to. */
const servingPods = () =>
  slices().flatMap(({ endpoints }) => (endpoints ?? []).map((each) => each.targetRef.name));

/** Waits until the Service sends requests to a single pod other than `before`, and returns it. */
async function untilActive(before?: Pod): Promise<Pod> {
  await expect
    .poll(() => {
      const names = servingPods();
      const exists = running()
        .pods("gateway")
        .some(({ metadata }) => metadata.name === names[0]);
      return names.length === 1 && names[0] !== before?.metadata.name && exists;
    })
    .toBe(true);
  const [name] = servingPods();
  const pod = running()
    .pods("gateway")
    .find(({ metadata }) => metadata.name === name);
  if (pod === undefined) throw new Error(`the pod ${String(name)} is gone again`);
  return pod;
}

/** The sum of a metric that a gateway reports at its pod's address. */
async function metricOf({ status }: Pod, name: string): Promise<number> {
  reachPods();
  const text = await (
    await running().get("/metrics", running().ada, `http://${status.podIP ?? ""}:8000`)
  ).text();
  return [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, "gm"))].reduce(
    (sum, [, count]) => sum + Number(count),
    0,
  );
}

/** Whether a folder in /proc belongs to a gateway process. */
const isGateway = (folder: string) => readFileSync(`${folder}/cmdline`, "utf8").includes("/app/server.cjs");

it("comes up with two ready gateways, one of which serves, and previews no changes", async () => {
  expect(running().gatewayUrls).toHaveLength(2);
  const active = await untilActive();
  const [other] = running()
    .pods("gateway")
    .filter(({ metadata }) => metadata.name !== active.metadata.name);
  if (other === undefined) throw new Error("there is no other gateway");
  expect(await metricOf(active, "gateway_active")).toBe(1);
  expect(await metricOf(other, "gateway_active")).toBe(0);
  const load = await running().stream(clients, tokens);
  await load.completeMore(clients);
  await load.stop();
  expect(load.failures).toEqual([]);
  const requests = "gen_ai_server_request_duration_seconds_count";
  expect(await metricOf(active, requests)).toBeGreaterThanOrEqual(load.completed);
  expect(await metricOf(other, requests)).toBe(0);
  await running().project.pulumi("preview", "--refresh", "--expect-no-changes");
});

function kubectlClient(): Kubectl {
  const { kubeconfig } = running().cluster;
  return new Kubectl({ kubeconfig, context: "", namespace: running().namespace });
}

it("forwards to the active pod", async () => {
  const client = kubectlClient();
  const target = await gatewayTarget(client);
  expect(target).toBe(`pod/${(await untilActive()).metadata.name}`);
  await withForward(client, target, "http", async (url) => {
    expect((await running().get("/ready", running().ada, url)).status).toBe(200);
  });
});

it("grants the gateways access only to their Lease and EndpointSlice", () => {
  const { namespace } = running();
  const can = (verb: string, resource: string) => {
    const account = `--as=system:serviceaccount:${namespace}:gateway`;
    try {
      return running().kubectl("auth", "can-i", verb, resource, account).trim() === "yes";
    } catch {
      return false;
    }
  };
  expect(can("update", "lease.coordination.k8s.io/gateway")).toBe(true);
  expect(can("update", "endpointslice.discovery.k8s.io/gateway-active")).toBe(true);
  for (const resource of [
    "secrets",
    "pods",
    "configmaps",
    "lease.coordination.k8s.io/other",
    "endpointslices.discovery.k8s.io",
  ])
    expect([resource, can("get", resource), can("update", resource)]).toEqual([resource, false, false]);
});

it("replaces both gateways while clients stream, without failed requests", async () => {
  const before = running().uids("gateway");
  const load = await running().stream(clients, tokens);
  running().kubectl("rollout", "restart", "deployment/gateway");
  await running().untilReplaced("gateway", before);
  await running().untilGateways(2);
  await untilActive();
  await load.completeMore(clients);
  await load.stop();
  expect(load.failures).toEqual([]);
});

it("hands over when the active pod is deleted, without failed requests", async () => {
  const active = await untilActive();
  const load = await running().stream(clients, tokens);
  running().kubectl("delete", "pod", active.metadata.name, "--wait=false");
  await untilActive(active);
  await load.completeMore(clients);
  await load.stop();
  expect(load.failures).toEqual([]);
});

it("fails over from a frozen gateway and from a force-deleted one", async () => {
  await running().untilGateways(2);
  const frozen = await untilActive();
  const pid = podProcess(frozen, isGateway);
  const { promise: until, resolve: endForward } = Promise.withResolvers<undefined>();
  const forwarded = Promise.withResolvers<number>();
  const client = kubectlClient();
  const gateway = {
    target: (signal: AbortSignal) => gatewayTarget(client, signal),
    isSuperseded: (target: string) => isSuperseded(client, target),
    port: "http",
  };
  const forwarding = keepForwarded(client, gateway, until, forwarded.resolve);
  const url = `http://127.0.0.1:${String(await forwarded.promise)}/health`;
  const health = () =>
    fetch(url, { signal: AbortSignal.timeout(1000) }).then(
      ({ status }) => status,
      () => 0,
    );
  await expect.poll(health).toBe(200);
  process.kill(pid, "SIGSTOP");
  try {
    await untilActive(frozen);
    await running().chat();
    await expect.poll(health).toBe(200);
  } finally {
    process.kill(pid, "SIGCONT");
    endForward(undefined);
    await forwarding;
  }
  await expect.poll(() => metricOf(frozen, "gateway_active")).toBe(0);
  await running().untilGateways(2);

  const deleted = await untilActive();
  running().kubectl("delete", "pod", deleted.metadata.name, "--force", "--grace-period=0");
  await untilActive(deleted);
  await expect.poll(async () => (await running().sendChat()).status).toBe(200);
});

interface Service {
  readonly spec: { readonly clusterIP: string; readonly selector?: object };
}

const service = () =>
  running().cluster.get("service", "gateway", `--namespace=${running().namespace}`) as Service;

/** Reads the Service's address again, because it changes with the number of gateways. */
const untilServiceResponds = async () => {
  const url = `http://${service().spec.clusterIP}:8000`;
  await expect.poll(async () => (await running().sendChat(running().ada, url)).status).toBe(200);
};

it("scales to one gateway and back to two", async () => {
  running().project.configure({ gatewayReplicas: 1 });
  await running().update();
  await expect.poll(() => servingPods().length).toBe(1);
  await expect.poll(() => slices().map(({ metadata }) => metadata.name)).not.toContain("gateway-active");
  expect(servingPods()).toEqual(
    running()
      .pods("gateway")
      .map(({ metadata }) => metadata.name),
  );
  expect(service().spec.selector).toEqual({ app: "gateway" });
  await untilServiceResponds();

  running().project.configure({ gatewayReplicas: 2 });
  await running().update();
  await untilActive();
  expect(slices().map(({ metadata }) => metadata.name)).toEqual(["gateway-active"]);
  expect(service().spec.selector).toBeUndefined();
  await untilServiceResponds();
});
