import { z } from "zod";

/** The parts of `kubectl get nodes` that affect scheduling. */
export const nodeList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
      spec: z
        .object({
          // Such as "aws:///eu-central-1a/i-0123456789abcdef0"; empty for self-managed machines.
          providerID: z.string().default(""),
          unschedulable: z.boolean().default(false),
          taints: z
            .array(z.object({ key: z.string(), value: z.string().default(""), effect: z.string() }))
            .default([]),
        })
        .default({ providerID: "", unschedulable: false, taints: [] }),
      status: z.object({
        allocatable: z.record(z.string(), z.string()).default({}),
        conditions: z.array(z.object({ type: z.string(), status: z.string() })).default([]),
      }),
    }),
  ),
});
export type ClusterNode = z.output<typeof nodeList>["items"][number];

interface Toleration {
  readonly key?: string | undefined;
  readonly operator?: "Exists" | "Equal" | undefined;
  readonly value?: string | undefined;
  readonly effect?: string | undefined;
}

/** Requirements on the nodes that Ollama runs on. */
export interface NodeDemand {
  /** Number of Ollama pods, each on its own node. */
  readonly replicas: number;
  /** The config key that sets this number. */
  readonly replicasKey: "ollamaReplicas" | "ollamaMinReplicas";
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  /** GPUs that each pod requests from a device plugin. */
  readonly gpuRequest?: { readonly resource: string; readonly count: number } | undefined;
}

export interface NodeFindings {
  /** Permanent: no update can succeed. */
  readonly problems: readonly string[];
  /** Temporary: a node that is down, cordoned, or not added yet. */
  readonly warnings: readonly string[];
}

/** Checks that Ollama's pods can be scheduled. */
export function checkNodes(nodes: readonly ClusterNode[], demand: NodeDemand): NodeFindings {
  const isScalable = mayScaleUp(nodes);
  const problem = (text: string) =>
    isScalable ? { problems: [], warnings: [`${text} ${scaleUpNote}`] } : { problems: [text], warnings: [] };
  const selected = nodes.filter((node) => hasLabels(node, demand.nodeSelector));
  if (selected.length === 0 && nodes.length > 0)
    return problem(
      `No node has the labels ${labelText(demand.nodeSelector)} from nodeSelector. Use labels that nodes have; list them with: kubectl get nodes --show-labels`,
    );
  const tolerated = selected.filter((node) => untolerated(node, demand.tolerations) === undefined);
  if (tolerated.length === 0 && selected.length > 0) {
    const [taint] = selected.flatMap((node) => untolerated(node, demand.tolerations) ?? []);
    return problem(
      `Every node that Ollama may run on has a taint that it does not tolerate, such as ${taint ?? ""}. Add it to tolerations, or select other nodes with nodeSelector.`,
    );
  }
  const { gpuRequest: gpus } = demand;
  const equipped = tolerated.filter(
    (node) => gpus === undefined || gpusOf(node, gpus.resource) >= gpus.count,
  );
  if (gpus !== undefined && equipped.length === 0) {
    const most = Math.max(0, ...tolerated.map((node) => gpusOf(node, gpus.resource)));
    return problem(
      most === 0
        ? `No node that Ollama may run on offers ${gpus.resource}. Install the device plugin for its GPUs in the cluster, or set gpus to none.`
        : `Each pod requests ${String(gpus.count)} ${gpus.resource}, but no node offers more than ${String(most)}. Lower gpusPerPod.`,
    );
  }
  if (nodes.length === 0) return problem("The cluster has no nodes. Add a node for each Ollama pod.");
  const { replicas, replicasKey } = demand;
  if (equipped.length < replicas)
    return problem(
      `${replicasKey} is ${String(replicas)}, and each Ollama pod needs its own node, but only ${count(equipped.length)} one. Lower ${replicasKey}, or add nodes.`,
    );
  const usable = equipped.filter((node) => isReady(node) && !node.spec.unschedulable);
  if (usable.length >= demand.replicas) return { problems: [], warnings: [] };
  const unusable = equipped.filter((node) => !usable.includes(node)).map(({ metadata }) => metadata.name);
  return {
    problems: [],
    warnings: [
      `Not ready or unschedulable: ${unusable.join(", ")}. Until that changes, unscheduled Ollama pods stay pending: ${String(demand.replicas)} pods need ${String(demand.replicas)} nodes, ${String(usable.length)} can run one.`,
    ],
  };
}

const scaleUpNote = "If the cluster adds such nodes automatically, the update waits for them.";

// Provider IDs of clusters that do not run on a cloud's machines.
const localNodes = /^(kind|k3d|k3s|minikube|rke2):/;

/**
 * Whether a cluster autoscaler may add nodes, including from node groups scaled to 0. Self-managed machines have none. A
 * cluster without any node must have such a group.
 */
function mayScaleUp(nodes: readonly ClusterNode[]): boolean {
  return (
    nodes.length === 0 ||
    nodes.some(({ spec: { providerID } }) => providerID !== "" && !localNodes.test(providerID))
  );
}

function count(nodes: number): string {
  return nodes === 1 ? "1 node can run" : `${String(nodes)} nodes can run`;
}

function hasLabels({ metadata }: ClusterNode, selector: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => metadata.labels[key] === value);
}

function labelText(selector: Readonly<Record<string, string>>): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
}

/** The first taint of a node that permanently repels a pod. */
function untolerated({ spec }: ClusterNode, tolerations: readonly Toleration[]): string | undefined {
  const taint = spec.taints.find(
    ({ key, value, effect }) =>
      effect !== "PreferNoSchedule" &&
      // Kubernetes' own taints mark nodes that are down or cordoned, which is temporary.
      !key.startsWith("node.kubernetes.io/") &&
      !tolerations.some(
        (each) =>
          (each.key === undefined || each.key === key) &&
          (each.operator === "Exists" || (each.value ?? "") === value) &&
          (each.effect === undefined || each.effect === effect),
      ),
  );
  if (taint === undefined) return undefined;
  const { key, value, effect } = taint;
  return `${key}${value === "" ? "" : `=${value}`}:${effect}`;
}

function gpusOf({ status }: ClusterNode, resource: string): number {
  return Number(status.allocatable[resource] ?? 0);
}

function isReady({ status }: ClusterNode): boolean {
  return status.conditions.some((each) => each.type === "Ready" && each.status === "True");
}
