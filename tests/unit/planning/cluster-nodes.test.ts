import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { demandOf } from "../../../components/planning/cluster/demand.ts";
import { checkNodes, type NodeDemand, nodeList } from "../../../components/planning/cluster/nodes.ts";

// The two nodes of the tests' cluster.
const { items } = nodeList.parse(JSON.parse(readFileSync("tests/unit/cluster/recorded/nodes.json", "utf8")));
const [one, two] = items;
if (one === undefined || two === undefined) throw new Error("two nodes were recorded");
type Node = typeof one;
const demand = (more: Partial<NodeDemand>): NodeDemand => ({
  replicas: 1,
  nodeSelector: {},
  tolerations: [],
  ...more,
});
const tainted = (node: Node, key: string, effect = "NoSchedule"): Node => ({
  ...node,
  spec: { ...node.spec, taints: [{ key, value: "", effect }] },
});
const withGpus = (node: Node, count: string): Node => ({
  ...node,
  status: { ...node.status, allocatable: { ...node.status.allocatable, "nvidia.com/gpu": count } },
});
const config = {
  ...{ kubeconfig: "", kubeContext: "", storageClass: "", nodeSelector: {}, tolerations: [] },
  ...{ ollamaReplicas: 1, ollamaMinReplicas: 1, autoscaling: "none" as const, podMonitor: false },
  ...{ ingressClass: "", ingressHostnames: [] },
  ...{ gatewayReplicas: 1, gatewayMaxReplicas: 1, state: "memory" as const, statePasswordSecret: "" },
};
const gpuRequest = { resource: "nvidia.com/gpu", count: 2 };

describe("nodes", () => {
  it.each<[string, readonly Node[], Partial<NodeDemand>]>([
    ["one for each pod", items, { replicas: 2 }],
    ["those with the labels", items, { nodeSelector: { "kubernetes.io/hostname": "n2" } }],
    [
      "those whose taint is tolerated",
      [tainted(one, "gpu")],
      { tolerations: [{ key: "gpu", operator: "Exists" }] },
    ],
    ["those that had rather have others", [tainted(one, "gpu", "PreferNoSchedule")], {}],
    ["those with GPUs", [one, withGpus(two, "4")], { gpuRequest }],
  ])("are found: %s", (_what, nodes, wanted) => {
    expect(checkNodes(nodes, demand(wanted))).toEqual({ problems: [], warnings: [] });
  });

  it.each<[string, readonly Node[], Partial<NodeDemand>, string]>([
    [
      "fewer than pods",
      items,
      { replicas: 3 },
      "ollamaReplicas is 3, and each Ollama pod needs its own node, but only 2 nodes can run one. Lower ollamaReplicas, or add nodes.",
    ],
    [
      "none with the labels",
      items,
      { nodeSelector: { pool: "gpu", zone: "a" } },
      "No node has the labels pool=gpu, zone=a from nodeSelector. Use labels that nodes have; list them with: kubectl get nodes --show-labels",
    ],
    [
      "none whose taint is tolerated",
      items.map((node) => tainted(node, "gpu")),
      { tolerations: [{ key: "other", operator: "Exists" }] },
      "Every node that Ollama may run on has a taint that it does not tolerate, such as gpu:NoSchedule. Add it to tolerations, or select other nodes with nodeSelector.",
    ],
    [
      "none with a device plugin",
      items,
      { gpuRequest },
      "No node that Ollama may run on offers nvidia.com/gpu. Install the device plugin for its GPUs in the cluster, or set gpus to none.",
    ],
    [
      "none with so many GPUs",
      [withGpus(one, "1"), two],
      { gpuRequest },
      "Each pod requests 2 nvidia.com/gpu, but no node offers more than 1. Lower gpusPerPod.",
    ],
  ])("are too few: %s", (_what, nodes, wanted, problem) => {
    expect(checkNodes(nodes, demand(wanted))).toEqual({ problems: [problem], warnings: [] });
  });

  it("are found with the taint that nodes with GPUs have by convention", () => {
    const pool = ["nvidia.com/gpu", "amd.com/gpu"].map((key) => {
      const node = tainted(one, key);
      return { ...node, status: { ...node.status, allocatable: { [key]: "2" } } };
    });
    const withKeys = (gpuResource: string, gpus: "all" | "none") =>
      checkNodes(pool, demandOf({ ...config, gpus, gpuResource, gpusPerPod: gpus === "all" ? 2 : 0 }, "llm"))
        .problems;
    expect(withKeys("nvidia.com/gpu", "all")).toEqual([]);
    expect(withKeys("amd.com/gpu", "all")).toEqual([]);
    expect(withKeys("nvidia.com/gpu", "none")).toEqual([
      expect.stringContaining("has a taint that it does not tolerate, such as nvidia.com/gpu:NoSchedule"),
    ]);
  });

  it.each<[string, readonly Node[], Partial<NodeDemand>, string]>([
    ["with GPUs", items, { gpuRequest }, "No node that Ollama may run on offers nvidia.com/gpu."],
    ["for each pod", items, { replicas: 3 }, "ollamaReplicas is 3, and each Ollama pod"],
    ["of a group", items, { nodeSelector: { pool: "gpu" } }, "No node has the labels pool=gpu"],
    ["at all", [], {}, "ollamaReplicas is 1, and each Ollama pod"],
  ])("that an autoscaler may add are only warned of: %s", (_what, nodes, wanted, begin) => {
    const inCloud = nodes.map((node) => ({
      ...node,
      spec: { ...node.spec, providerID: "aws:///eu-central-1a/i-0123456789abcdef0" },
    }));
    const { problems, warnings } = checkNodes(inCloud, demand(wanted));
    expect(problems).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(
        new RegExp(`^${begin}.* If the cluster adds such nodes automatically, the update waits for them\\.$`),
      ),
    ]);
  });

  it("of a cluster on one machine do not come by themselves", () => {
    const local = items.map((node) => ({
      ...node,
      spec: { ...node.spec, providerID: "kind://docker/kind/kind-worker" },
    }));
    expect(checkNodes(local, demand({ replicas: 3 })).problems).toHaveLength(1);
  });

  it("that are down or closed are warned of, for that may pass", () => {
    const down: Node = {
      ...tainted(one, "node.kubernetes.io/unreachable", "NoExecute"),
      status: { ...one.status, conditions: [{ type: "Ready", status: "Unknown" }] },
    };
    const closed: Node = { ...two, spec: { ...two.spec, unschedulable: true } };
    const found = checkNodes([down, closed], demand({ replicas: 2 }));
    expect(found.problems).toEqual([]);
    expect(found.warnings[0]).toMatch(/^Not ready or unschedulable: n1, n2\./);
  });
});
