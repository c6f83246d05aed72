import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { beforeAll, expect, it } from "vitest";
import type { Cluster } from "../../test-support/cluster/cluster.ts";
import { dnsAddress } from "../../test-support/cluster/machines/dns.ts";
import { machines, namespaceOf } from "../../test-support/cluster/machines/network.ts";
import { machineState } from "../../test-support/cluster/machines/machine-state.ts";
import {
  sharedCluster,
  stateBeforeCluster,
  stopSharedCluster,
} from "../../test-support/cluster/shared-cluster.ts";

// What stacks are tested in is a real cluster, and nothing of it stays on the machine.

const settings = () => machineState().settings;
let cluster: Cluster | undefined;
const running = (): Cluster => {
  if (cluster === undefined) throw new Error("the cluster does not run");
  return cluster;
};

beforeAll(async () => {
  cluster = await sharedCluster();
});
// A run that was killed may have left its own: what begins removes them.
const before = () => ({ ...stateBeforeCluster(), namespaces: [], groups: [], links: [] });

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly nodeName: string };
    readonly status: { readonly podIP: string };
  }[];
}

it("has two nodes, and pods on both that reach the API server", () => {
  const { items } = running().get(
    "pods",
    "--namespace=kube-system",
    "--selector=k8s-app=kube-dns",
  ) as PodList;
  expect(items.map(({ spec }) => spec.nodeName).toSorted()).toEqual(machines.map(({ name }) => name));
});

it("changes no setting of the kernel for the machine", () => {
  expect(settings()).toEqual(before().settings);
});

it("resolves the name of a service from the network of each node, at the service's address", async () => {
  const lookup = `
    const { Resolver } = await import("node:dns/promises");
    const resolver = new Resolver();
    resolver.setServers([process.argv[1]]);
    console.log((await resolver.resolve4("kubernetes.default.svc.cluster.local")).join());`;
  const from = (node: string): string => {
    const inNode = ["netns", "exec", namespaceOf(node), process.execPath];
    const { stdout } = spawnSync("ip", [...inNode, "--input-type=module", "--eval", lookup, dnsAddress], {
      encoding: "utf8",
    });
    return stdout.trim();
  };
  // kube-proxy learns of pods that are ready a moment after the API server.
  for (const { name } of machines) await expect.poll(() => from(name)).toBe("10.96.0.1");
});

it("reaches the log of a pod through its node", async () => {
  const { items } = running().get("pods", "--namespace=kube-system") as PodList;
  const name = items[0]?.metadata.name ?? "";
  await expect
    .poll(() => running().kubectl(["logs", "--namespace=kube-system", name]))
    .toContain("CoreDNS-1");
});

it("leaves nothing behind", async () => {
  const folder = running().folder;
  await stopSharedCluster();
  expect(machineState()).toEqual(before());
  expect(existsSync(folder)).toBe(false);
});
