import { z } from "zod";
import type { ClusterAddress } from "../../cluster/address.ts";
import { ClusterError, type Kubectl } from "../../cluster/kubectl.ts";
import { namespaceLabels } from "../../engine/labels.ts";
import type { Leftover } from "./engine-leftovers.ts";

interface InCluster {
  readonly leftovers: readonly Leftover[];
  /** Why the namespace is kept; undefined if it is removed or does not exist. */
  readonly staying: string | undefined;
}

const named = z.object({
  name: z.string(),
  labels: z.record(z.string(), z.string()).default({}),
  deletionTimestamp: z.string().optional(),
});
const namespaceSchema = z.object({ metadata: named });
const objectList = z.object({
  items: z.array(
    z.object({
      kind: z.string(),
      metadata: named,
      /** Of a Secret. */
      type: z.string().optional(),
      status: z
        .object({ capacity: z.object({ storage: z.string().optional() }).optional() })
        .optional()
        .catch(undefined),
    }),
  ),
});
type ClusterObject = Items[number];

type Items = z.output<typeof objectList>["items"];

// Workloads of a stack and its claims, which show whether it still exists.
const ownKinds = ["statefulsets", "deployments", "pods", "persistentvolumeclaims"];
// Kinds that others may have in its namespace.
const otherKinds = [
  "services",
  "configmaps",
  "secrets",
  "serviceaccounts",
  "daemonsets.apps",
  "jobs.batch",
  "cronjobs.batch",
  "ingresses.networking.k8s.io",
  "networkpolicies.networking.k8s.io",
  "roles.rbac.authorization.k8s.io",
  "rolebindings.rbac.authorization.k8s.io",
];

// Objects that clusters create in every namespace.
const ofTheCluster = new Set(["kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"]);

const withinMs = 5 * 60_000;

/**
 * Remains of a stack in its namespace: the volume claims of its models, and the namespace itself if all kinds of objects can
 * be listed and none belongs to others.
 *
 * @param isKnown whether the namespace is known to be this stack's; by default, its label must match
 * @throws ClusterError when the cluster does not respond
 * @throws Error if the stack still exists, or the namespace is not labelled as this stack's
 */
export async function inCluster(stack: string, kubectl: Kubectl, isKnown = false): Promise<InCluster> {
  const { namespace } = kubectl.address;
  const found = await kubectl.find(namespaceSchema, "namespace", namespace);
  if (found === undefined) return { leftovers: [], staying: undefined };
  const mark = Object.entries(namespaceLabels(stack));
  if (!isKnown && mark.some(([label, value]) => found.metadata.labels[label] !== value))
    throw new Error(
      `the namespace ${namespace} has no label ${mark.map((each) => each.join("=")).join()}, so it may not be the stack's. ` +
        `If it is, remove it with: ${removal(kubectl.address)}`,
    );
  const own = (await kubectl.get(objectList, ownKinds.join())).items.filter(isStaying);
  const running = own.find(isOfService);
  if (running !== undefined)
    throw new Error(
      `the ${running.kind} ${running.metadata.name} still exists; destroy its stack first: npm run destroy -- --stack ${stack}`,
    );
  const claims = own.filter(isModelClaim);
  const { items, hidden } = await listVisible(kubectl, otherKinds);
  const others = [...own, ...items.filter(isStaying)].filter(
    (each) => !claims.includes(each) && !isOfTheCluster(each),
  );
  const staying = whyItStays(kubectl.address, others, hidden);
  const remove = (kind: string, name: string) => async () => {
    const options = ["--ignore-not-found", `--timeout=${String(withinMs / 1000)}s`];
    await kubectl.run(["delete", kind, name, ...options], { timeoutMs: withinMs + 10_000 });
  };
  return {
    leftovers: [
      ...claims.map(({ metadata: { name }, status }) => ({
        kind: "volume claim",
        name,
        size: status?.capacity?.storage ?? "-",
        remove: remove("persistentvolumeclaim", name),
      })),
      ...(staying === undefined
        ? [{ kind: "namespace", name: namespace, size: "-", remove: remove("namespace", namespace) }]
        : []),
    ],
    staying,
  };
}

/** The objects of several kinds, and the kinds that cannot be listed. */
async function listVisible(
  kubectl: Kubectl,
  kinds: readonly string[],
): Promise<{ readonly items: Items; readonly hidden: readonly string[] }> {
  const list = async (names: readonly string[]) => {
    try {
      return (await kubectl.get(objectList, names.join())).items;
    } catch (error) {
      if (error instanceof ClusterError && error.isForbidden) return undefined;
      throw error;
    }
  };
  const all = await list(kinds);
  if (all !== undefined) return { items: all, hidden: [] };
  const each = await Promise.all(kinds.map(async (kind) => ({ kind, items: await list([kind]) })));
  return {
    items: each.flatMap(({ items }) => items ?? []),
    hidden: each.filter(({ items }) => items === undefined).map(({ kind }) => kind),
  };
}

function whyItStays(
  address: ClusterAddress,
  others: readonly ClusterObject[],
  hidden: readonly string[],
): string | undefined {
  const { namespace } = address;
  const end = `Remove it with: ${removal(address)}`;
  if (others.length > 0)
    return `The namespace ${namespace} is kept, because it contains objects that the stack did not create: ${others.map(shown).join(", ")}. ${end}`;
  if (hidden.length > 0)
    return `The namespace ${namespace} is kept, because it may contain objects of kinds that you cannot list: ${hidden.join(", ")}. ${end}`;
  return undefined;
}

/** The command that removes the namespace in the inspected cluster. */
function removal({ kubeconfig, context, namespace }: ClusterAddress): string {
  const options = [
    ...(kubeconfig === "" ? [] : [` --kubeconfig=${kubeconfig}`]),
    ...(context === "" ? [] : [` --context=${context}`]),
  ];
  return `kubectl delete namespace ${namespace}${options.join("")}`;
}

function isStaying({ metadata }: ClusterObject): boolean {
  return metadata.deletionTimestamp === undefined;
}

function isOfService({ kind, metadata: { name, labels } }: ClusterObject): boolean {
  if (kind === "Pod") return labels["app"] === "ollama" || labels["app"] === "gateway";
  return (kind === "StatefulSet" && name === "ollama") || (kind === "Deployment" && name === "gateway");
}

/** The claims, as named and labelled by the StatefulSet. */
function isModelClaim({ kind, metadata: { name, labels } }: ClusterObject): boolean {
  return kind === "PersistentVolumeClaim" && /^models-ollama-\d+$/.test(name) && labels["app"] === "ollama";
}

function isOfTheCluster({ kind, metadata: { name }, type }: ClusterObject): boolean {
  if (kind === "ServiceAccount") return name === "default";
  return (kind === "ConfigMap" && ofTheCluster.has(name)) || type === "kubernetes.io/service-account-token";
}

function shown({ kind, metadata: { name } }: ClusterObject): string {
  return `${kind} ${name}`;
}
