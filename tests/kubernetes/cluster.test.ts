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

// The cluster for the tests is a real one, and leaves nothing behind on the machine.

const settings = () => machineState().settings;
let cluster: Cluster | undefined;
const running = (): Cluster => {
  if (cluster === undefined) throw new Error("the cluster is not running");
  return cluster;
};

beforeAll(async () => {
  cluster = await sharedCluster();
});
// A killed run may have left these behind; the next one removes them at its start.
const before = () => ({ ...stateBeforeCluster(), namespaces: [], groups: [], links: [] });

interface PodList {
  readonly items: readonly {
    readonly metadata: { readonly name: string };
    readonly spec: { readonly nodeName: string };
    readonly status: { readonly podIP: string };
  }[];
}

it("has two nodes with pods that reach the API server", () => {
  const { items } = running().get(
    "pods",
    "--namespace=kube-system",
    "--selector=k8s-app=kube-dns",
  ) as PodList;
  expect(items.map(({ spec }) => spec.nodeName).toSorted()).toEqual(machines.map(({ name }) => name));
});

it("changes no kernel settings of the machine", () => {
  expect(settings()).toEqual(before().settings);
});

it("resolves a service name from each node's network", async () => {
  const lookup = `
    const { Resolver } = await import("node:dns/promises");
    const resolver = new Resolver();
    resolver.setServers([process.argv[1]]);
    console.log((await resolver.resolve4("kubernetes.default.svc.cluster.local")).join());`;
  const resolveFrom = (node: string): string => {
    const inNode = ["netns", "exec", namespaceOf(node), process.execPath];
    const { stdout } = spawnSync("ip", [...inNode, "--input-type=module", "--eval", lookup, dnsAddress], {
      encoding: "utf8",
    });
    return stdout.trim();
  };
  // kube-proxy learns of ready pods a moment after the API server.
  for (const { name } of machines) await expect.poll(() => resolveFrom(name)).toBe("10.96.0.1");
});

it("reads a pod's log through its node", async () => {
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
