import { z } from "zod";

/** `kubectl get nodes`, as far as it says what can run where. */
export const nodeList = z.object({
  items: z.array(
    z.object({
      metadata: z.object({ name: z.string(), labels: z.record(z.string(), z.string()).default({}) }),
      spec: z
        .object({
          // Such as "aws:///eu-central-1a/i-0123456789abcdef0"; machines of one's own have none.
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

/** What a config asks of the nodes that Ollama runs on. */
export interface NodeDemand {
  /** Pods of Ollama, each on a node of its own. */
  readonly replicas: number;
  readonly nodeSelector: Readonly<Record<string, string>>;
  readonly tolerations: readonly Toleration[];
  /** What each pod requests of a device plugin. */
  readonly gpuRequest?: { readonly resource: string; readonly count: number } | undefined;
}

export interface NodeFindings {
  /** Lasting: no update can succeed. */
  readonly problems: readonly string[];
  /** What may pass: a node that is down, closed for maintenance, or not there yet. */
  readonly warnings: readonly string[];
}

/** Whether the pods of Ollama find nodes. */
export function checkNodes(nodes: readonly ClusterNode[], demand: NodeDemand): NodeFindings {
  const mayCome = mayGetNodes(nodes);
  const problem = (text: string) =>
    mayCome ? { problems: [], warnings: [`${text} ${untilTheyCome}`] } : { problems: [text], warnings: [] };
  const selected = nodes.filter((node) => hasLabels(node, demand.nodeSelector));
  if (selected.length === 0 && nodes.length > 0)
    return problem(
      `No node has the labels ${labelText(demand.nodeSelector)} of nodeSelector. Change it to labels that nodes have: kubectl get nodes --show-labels lists them.`,
    );
  const tolerated = selected.filter((node) => untolerated(node, demand.tolerations) === undefined);
  if (tolerated.length === 0 && selected.length > 0) {
    const [taint] = selected.flatMap((node) => untolerated(node, demand.tolerations) ?? []);
    return problem(
      `Every node that Ollama may run on has a taint that it does not tolerate, such as ${taint ?? ""}. Add it to tolerations, or choose other nodes by nodeSelector.`,
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
        ? `No node that Ollama may run on offers ${gpus.resource}. Install the device plugin of its GPUs in the cluster, or set gpus to none.`
        : `Each pod requests ${String(gpus.count)} of ${gpus.resource}, but no node offers more than ${String(most)}. Lower gpusPerPod.`,
    );
  }
  if (equipped.length < demand.replicas)
    return problem(
      `ollamaReplicas is ${String(demand.replicas)}, and each pod of Ollama needs a node of its own, but only ${count(equipped.length)} it. Lower ollamaReplicas, or add nodes.`,
    );
  const usable = equipped.filter((node) => isReady(node) && !node.spec.unschedulable);
  if (usable.length >= demand.replicas) return { problems: [], warnings: [] };
  const away = equipped.filter((node) => !usable.includes(node)).map(({ metadata }) => metadata.name);
  return {
    problems: [],
    warnings: [
      `Not ready or closed for new pods: ${away.join(", ")}. Until that changes, pods of Ollama that are not on a node yet wait: ${String(demand.replicas)} are wanted, ${String(usable.length)} nodes can take them.`,
    ],
  };
}

const untilTheyCome = "If the cluster adds such nodes by itself, the update waits for them.";

// What clusters without machines of a cloud call their nodes.
const localNodes = /^(kind|k3d|k3s|minikube|rke2):/;

/**
 * Whether an autoscaler may add nodes, which a group that is scaled to 0 does not show: not to machines of one's own.
 * A cluster without a node has at least one such group, or nothing would run in it.
 */
function mayGetNodes(nodes: readonly ClusterNode[]): boolean {
  return (
    nodes.length === 0 ||
    nodes.some(({ spec: { providerID } }) => providerID !== "" && !localNodes.test(providerID))
  );
}

function count(nodes: number): string {
  return nodes === 1 ? "1 node can take" : `${String(nodes)} nodes can take`;
}

function hasLabels({ metadata }: ClusterNode, selector: Readonly<Record<string, string>>): boolean {
  return Object.entries(selector).every(([key, value]) => metadata.labels[key] === value);
}

function labelText(selector: Readonly<Record<string, string>>): string {
  return Object.entries(selector)
    .map(([key, value]) => `${key}=${value}`)
    .join(", ");
}

/** The first taint of a node that keeps a pod away for good. */
function untolerated({ spec }: ClusterNode, tolerations: readonly Toleration[]): string | undefined {
  const taint = spec.taints.find(
    ({ key, value, effect }) =>
      effect !== "PreferNoSchedule" &&
      // Kubernetes' own say that a node is down or closed, which passes.
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
