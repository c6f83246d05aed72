import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { shareStack } from "../../test-support/cluster/stack/share-stack.ts";
import { reachServicesThrough } from "../../test-support/cluster/machines/network.ts";
import type { StreamingClients } from "../../test-support/cluster/stack/streaming-clients.ts";
import type { Node } from "../../test-support/cluster/machines/node.ts";

// How a stack on two nodes handles the loss of one of them, of its gateway, and of the cluster's API server.

const clients = 20;
const tokens = 24;

// A loss is noticed within 5 s, and a node is used within 30 s of its return. The tests allow three times as long,
// because both nodes, the control plane and the clients share this machine's cores.
const lossNoticedWithinMs = 3 * 5000;
const nodeUsedWithinMs = 3 * 30_000;

// Streams continuously from the loss of the node on.
let load: StreamingClients | undefined;

const running = shareStack("k8s-loss", async (stack) => {
  stack.project.configure({ ollamaReplicas: 2 });
  await stack.update();
});
afterAll(async () => {
  await load?.abort();
});

const seconds = (from: number, to = Date.now()) => `${((to - from) / 1000).toFixed(1)} s`;

/** The node without the gateway, and its Ollama pod. */
function victim(): { readonly node: Node; readonly pod: string; readonly address: string } {
  const { cluster } = running();
  const kept = running().pods("gateway")[0]?.spec.nodeName;
  const pod = running()
    .pods("ollama")
    .find(({ spec }) => spec.nodeName !== kept);
  if (pod === undefined) throw new Error("both pods of Ollama are on the gateway's node");
  return {
    node: cluster.node(pod.spec.nodeName),
    pod: pod.metadata.name,
    address: pod.status.podIP ?? "",
  };
}

/** How often the kubelet of a node could not report its state to the API server. */
function failedReports({ folder }: Node): number {
  return (
    readFileSync(join(folder, "log", "kubelet"), "utf8").split("Unable to update node status").length - 1
  );
}

/** A node's Ready condition, and since when, in milliseconds. */
function readiness(name: string): { readonly isReady: boolean; readonly since: number } {
  const { status } = running().cluster.get("node", name) as {
    readonly status: {
      readonly conditions: readonly {
        readonly type: string;
        readonly status: string;
        readonly lastTransitionTime: string;
      }[];
    };
  };
  const ready = status.conditions.find(({ type }) => type === "Ready");
  return { isReady: ready?.status === "True", since: Date.parse(ready?.lastTransitionTime ?? "") };
}

it("ends the streams of a node that loses power with an error and continues all others", async () => {
  await expect.poll(() => running().servers()).toHaveLength(2);
  const { cluster } = running();
  const { node, pod, address } = victim();
  const { name } = node.machine;
  const survivor = cluster.nodes.find((each) => each !== node);
  if (survivor === undefined) throw new Error("there is no other node");
  reachServicesThrough(survivor.machine);
  load = await running().stream(clients, tokens);
  await expect.poll(async () => (await running().inFlight()).get(address)).toBe(1);

  const lostAt = Date.now();
  await node.losePower();
  await expect.poll(() => load?.failures.length).toBeGreaterThan(0);
  const [lost] = load.failures;
  console.log(`the stream on the lost node ended after ${seconds(lostAt, lost?.endedAt)}`);
  expect(lost).toMatchObject({ kind: "error", detail: expect.stringContaining("was lost") as string });
  expect((lost?.endedAt ?? Infinity) - lostAt).toBeLessThan(lossNoticedWithinMs);
  expect(await running().servers()).not.toContain(address);

  await load.completeMore(clients);
  // No request failed that started after the loss was noticed.
  const noticedAt = lost?.endedAt ?? 0;
  expect(load.failuresSince(noticedAt)).toEqual([]);

  // The cluster notices the loss by missing reports, and does not replace a pod that may still run.
  await expect.poll(() => readiness(name).isReady).toBe(false);
  expect(readiness(name).since).toBeGreaterThan(noticedAt);
  const pods = running().pods("ollama");
  expect(pods.find(({ metadata }) => metadata.name === pod)?.spec.nodeName).toBe(name);
});

it("uses the node again once it is back", async () => {
  const { cluster } = running();
  const node = cluster.nodes.find((each) => !each.running);
  if (node === undefined) throw new Error("no node is lost");
  const returnedAt = Date.now();
  node.returnPower();
  await expect.poll(() => running().servers()).toHaveLength(2);
  const usedAt = Date.now();
  console.log(`the node was used ${seconds(returnedAt, usedAt)} after it had been switched on`);
  expect(usedAt - returnedAt).toBeLessThan(nodeUsedWithinMs);
  await load?.completeMore(clients);
  expect(load?.failuresSince(returnedAt)).toEqual([]);
});

it("keeps serving while the API server is away", async () => {
  const { cluster } = running();
  const stoppedAt = Date.now();
  const reported = cluster.nodes.map(failedReports);
  cluster.setApiServer("stopped");
  try {
    await load?.completeMore(clients);
    // A kubelet gives up after five attempts of 4 s; meanwhile, the gateway looks up the servers' name every 3 s.
    await expect
      .poll(() => cluster.nodes.every((node, i) => failedReports(node) > (reported[i] ?? 0)), {
        interval: 1000,
      })
      .toBe(true);
    expect(await running().servers()).toHaveLength(2);
  } finally {
    cluster.setApiServer("running");
  }
  expect(load?.failuresSince(stoppedAt)).toEqual([]);
});

it("replaces a lost gateway and accepts requests again", async () => {
  const before = running().uids("gateway");
  const [gateway] = running().pods("gateway");
  const lostAt = Date.now();
  running().kubectl("delete", "pod", gateway?.metadata.name ?? "", "--force", "--grace-period=0");
  await expect
    .poll(() =>
      running()
        .uids("gateway")
        .some((uid) => !before.includes(uid)),
    )
    .toBe(true);
  await running().untilGateways(1);
  await load?.completeMore(clients);
  const acceptedAt = Date.now();
  console.log(`requests succeeded again within ${seconds(lostAt, acceptedAt)}`);
  await load?.completeMore(clients);
  expect(load?.failuresSince(acceptedAt)).toEqual([]);
});
