import { z } from "zod";
import type { Kubectl } from "../../cluster/kubectl.ts";
import { namespaceLabels } from "../../engine/labels.ts";
import type { Leftover } from "./engine-leftovers.ts";

export interface InCluster {
  readonly leftovers: readonly Leftover[];
  /** Why the namespace stays; undefined when it goes, or is not there. */
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
type ClusterObject = z.output<typeof objectList>["items"][number];

// What runs or keeps something, and may be seen with the rights of a stack.
const kinds = "statefulsets,deployments,pods,services,persistentvolumeclaims,configmaps,secrets";

// What clusters put into every namespace by themselves.
const ofTheCluster = new Set(["kube-root-ca.crt", "openshift-service-ca.crt", "istio-ca-root-cert"]);

const withinMs = 5 * 60_000;

/**
 * What a stack has left in its namespace: the volume claims of its models, and the namespace, if nothing of others is in
 * it.
 *
 * @param isKnown whether the namespace is known to be this stack's; by default, its label has to say so
 * @throws ClusterError when the cluster does not respond
 * @throws Error when the stack is still there, or the namespace is not marked as this stack's
 */
export async function inCluster(stack: string, kubectl: Kubectl, isKnown = false): Promise<InCluster> {
  const { namespace } = kubectl.address;
  const found = await kubectl.find(namespaceSchema, "namespace", namespace);
  if (found === undefined) return { leftovers: [], staying: undefined };
  const mark = Object.entries(namespaceLabels(stack));
  if (!isKnown && mark.some(([label, value]) => found.metadata.labels[label] !== value))
    throw new Error(
      `the namespace ${namespace} has no label ${mark.map((each) => each.join("=")).join()}, so nothing says that it is the stack's. ` +
        `If it is, remove it with: kubectl delete namespace ${namespace}`,
    );
  const all = await kubectl.get(objectList, kinds);
  const items = all.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
  const running = items.find(isOfService);
  if (running !== undefined)
    throw new Error(
      `the ${running.kind} ${running.metadata.name} is still there; take its stack down first: npm run destroy -- --stack ${stack}`,
    );
  const claims = items.filter(isModelClaim);
  const others = items.filter((each) => !claims.includes(each) && !isOfTheCluster(each));
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
      ...(others.length > 0
        ? []
        : [{ kind: "namespace", name: namespace, size: "-", remove: remove("namespace", namespace) }]),
    ],
    staying:
      others.length === 0
        ? undefined
        : `The namespace ${namespace} stays, for the stack did not make all that is in it: ${others.map(shown).join(", ")}. ` +
          `It goes with: kubectl delete namespace ${namespace}`,
  };
}

function isOfService({ kind, metadata: { name, labels } }: ClusterObject): boolean {
  if (kind === "Pod") return labels["app"] === "ollama" || labels["app"] === "gateway";
  return (kind === "StatefulSet" && name === "ollama") || (kind === "Deployment" && name === "gateway");
}

/** As the StatefulSet names and labels them. */
function isModelClaim({ kind, metadata: { name, labels } }: ClusterObject): boolean {
  return kind === "PersistentVolumeClaim" && /^models-ollama-\d+$/.test(name) && labels["app"] === "ollama";
}

function isOfTheCluster({ kind, metadata: { name }, type }: ClusterObject): boolean {
  return (kind === "ConfigMap" && ofTheCluster.has(name)) || type === "kubernetes.io/service-account-token";
}

function shown({ kind, metadata: { name } }: ClusterObject): string {
  return `${kind} ${name}`;
}
