import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { demandOf } from "../../../components/planning/cluster/demand.ts";
import { clusterConfig as config } from "../../../test-support/components/cluster-config.ts";
import { checkNodes, type NodeDemand, nodeList } from "../../../components/planning/cluster/nodes.ts";

// The two nodes of the test cluster.
const { items } = nodeList.parse(JSON.parse(readFileSync("tests/unit/cluster/recorded/nodes.json", "utf8")));
const [one, two] = items;
if (one === undefined || two === undefined) throw new Error("the recording must contain two nodes");
type Node = typeof one;
const demandFor = (change: Partial<NodeDemand>): NodeDemand => ({
  replicas: 1,
  replicasKey: "ollamaReplicas",
  nodeSelector: {},
  tolerations: [],
  ...change,
});
const tainted = (node: Node, key: string, effect = "NoSchedule"): Node => ({
  ...node,
  spec: { ...node.spec, taints: [{ key, value: "", effect }] },
});
const withGpus = (node: Node, count: string): Node => ({
  ...node,
  status: { ...node.status, allocatable: { ...node.status.allocatable, "nvidia.com/gpu": count } },
});
const gpuRequest = { resource: "nvidia.com/gpu", count: 2 };

describe("the check of the nodes", () => {
  it.each<[string, readonly Node[], Partial<NodeDemand>]>([
    ["one node for each pod", items, { replicas: 2 }],
    ["nodes with the labels", items, { nodeSelector: { "kubernetes.io/hostname": "n2" } }],
    [
      "nodes whose taint is tolerated",
      [tainted(one, "gpu")],
      { tolerations: [{ key: "gpu", operator: "Exists" }] },
    ],
    ["nodes that prefer other pods", [tainted(one, "gpu", "PreferNoSchedule")], {}],
    ["nodes with GPUs", [one, withGpus(two, "4")], { gpuRequest }],
  ])("accepts %s", (_what, nodes, change) => {
    expect(checkNodes(nodes, demandFor(change))).toEqual({ problems: [], warnings: [] });
  });

  it.each<[string, readonly Node[], Partial<NodeDemand>, string]>([
    [
      "fewer nodes than pods",
      items,
      { replicas: 3 },
      "ollamaReplicas is 3, and each Ollama pod needs its own node, but only 2 nodes can run one. Lower ollamaReplicas, or add nodes.",
    ],
    [
      "no node with the labels",
      items,
      { nodeSelector: { pool: "gpu", zone: "a" } },
      "No node has the labels pool=gpu, zone=a from nodeSelector. Use labels that nodes have; list them with: kubectl get nodes --show-labels",
    ],
    [
      "no node whose taint is tolerated",
      items.map((node) => tainted(node, "gpu")),
      { tolerations: [{ key: "other", operator: "Exists" }] },
      "Every node that Ollama may run on has a taint that it does not tolerate, such as gpu:NoSchedule. Add it to tolerations, or select other nodes with nodeSelector.",
    ],
    [
      "no node with a device plugin",
      items,
      { gpuRequest },
      "No node that Ollama may run on offers nvidia.com/gpu. Install the device plugin for its GPUs in the cluster, or set gpus to none.",
    ],
    [
      "no node with enough GPUs",
      [withGpus(one, "1"), two],
      { gpuRequest },
      "Each pod requests 2 nvidia.com/gpu, but no node offers more than 1. Lower gpusPerPod.",
    ],
  ])("rejects %s", (_what, nodes, change, problem) => {
    expect(checkNodes(nodes, demandFor(change))).toEqual({ problems: [problem], warnings: [] });
  });

  it("names the key that sets the minimum number of pods with autoscaling", () => {
    const scaled = demandOf(
      { ...config, autoscaling: "hpa", ollamaReplicas: 1, ollamaMinReplicas: 3 },
      "llm",
    );
    expect(checkNodes(items, scaled).problems).toEqual([
      "ollamaMinReplicas is 3, and each Ollama pod needs its own node, but only 2 nodes can run one. Lower ollamaMinReplicas, or add nodes.",
    ]);
  });

  it("tolerates the conventional taint of GPU nodes", () => {
    const pool = ["nvidia.com/gpu", "amd.com/gpu"].map((key) => {
      const node = tainted(one, key);
      return { ...node, status: { ...node.status, allocatable: { [key]: "2" } } };
    });
    const withKeys = (gpuResource: string, gpus: "all" | "none") =>
      checkNodes(
        pool,
        demandOf(
          { ...config, ollamaReplicas: 1, gpus, gpuResource, gpusPerPod: gpus === "all" ? 2 : 0 },
          "llm",
        ),
      ).problems;
    expect(withKeys("nvidia.com/gpu", "all")).toEqual([]);
    expect(withKeys("amd.com/gpu", "all")).toEqual([]);
    expect(withKeys("nvidia.com/gpu", "none")).toEqual([
      expect.stringContaining("has a taint that it does not tolerate, such as nvidia.com/gpu:NoSchedule"),
    ]);
  });

  it.each<[string, readonly Node[], Partial<NodeDemand>, string]>([
    ["no node with GPUs", items, { gpuRequest }, "No node that Ollama may run on offers nvidia.com/gpu."],
    ["fewer nodes than pods", items, { replicas: 3 }, "ollamaReplicas is 3, and each Ollama pod"],
    ["no node of a group", items, { nodeSelector: { pool: "gpu" } }, "No node has the labels pool=gpu"],
    ["no nodes", [], {}, "The cluster has no nodes. Add a node for each Ollama pod."],
  ])("only warns if an autoscaler may add nodes: %s", (_what, nodes, change, start) => {
    const inCloud = nodes.map((node) => ({
      ...node,
      spec: { ...node.spec, providerID: "aws:///eu-central-1a/i-0123456789abcdef0" },
    }));
    const { problems, warnings } = checkNodes(inCloud, demandFor(change));
    expect(problems).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(
        new RegExp(`^${start}.* If the cluster adds such nodes automatically, the update waits for them\\.$`),
      ),
    ]);
  });

  it("rejects too few nodes in a local cluster, which adds none", () => {
    const local = items.map((node) => ({
      ...node,
      spec: { ...node.spec, providerID: "kind://docker/kind/kind-worker" },
    }));
    expect(checkNodes(local, demandFor({ replicas: 3 })).problems).toHaveLength(1);
  });

  it("only warns about nodes that are not ready or cordoned", () => {
    const notReady: Node = {
      ...tainted(one, "node.kubernetes.io/unreachable", "NoExecute"),
      status: { ...one.status, conditions: [{ type: "Ready", status: "Unknown" }] },
    };
    const cordoned: Node = { ...two, spec: { ...two.spec, unschedulable: true } };
    const result = checkNodes([notReady, cordoned], demandFor({ replicas: 2 }));
    expect(result.problems).toEqual([]);
    expect(result.warnings[0]).toMatch(/^Not ready or unschedulable: n1, n2\./);
  });
});
