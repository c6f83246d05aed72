import { z } from "zod";
import type { Kubectl } from "../../../cluster/kubectl.ts";
import type { NamespaceRight } from "../../config/kubernetes/standby-rights.ts";

/** A right in a cluster, as a rule of a Role has it. */
interface Right {
  /** Whether it is about the stack's namespace alone. */
  readonly isOfNamespace?: true;
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
}

const watch = ["get", "list", "watch"] as const;
const change = ["get", "list", "watch", "create", "patch", "delete"] as const;

/** What whoever updates a stack needs in its namespace. docs/kubernetes.md has it as a Role. */
export const namespaceRights: readonly Right[] = [
  { group: "", resource: "configmaps", verbs: change },
  { group: "", resource: "secrets", verbs: change },
  { group: "", resource: "services", verbs: change },
  { group: "", resource: "pods", verbs: ["get", "list", "watch", "patch"] },
  { group: "", resource: "pods/exec", verbs: ["get", "create"] },
  // Pulumi's provider watches what a Deployment comes to; without these it would wait until it gives up.
  { group: "", resource: "persistentvolumeclaims", verbs: watch },
  { group: "apps", resource: "replicasets", verbs: watch },
  { group: "apps", resource: "deployments", verbs: change },
  { group: "apps", resource: "statefulsets", verbs: change },
  { group: "networking.k8s.io", resource: "networkpolicies", verbs: change },
  { group: "policy", resource: "poddisruptionbudgets", verbs: change },
];

/** What it needs in the cluster: the stack makes its namespace. docs/kubernetes.md has it as a ClusterRole. */
export const clusterRights: readonly Right[] = [
  // A role cannot name what is created, nor what all are listed of.
  { group: "", resource: "namespaces", verbs: ["list", "watch", "create"] },
  { group: "", resource: "namespaces", verbs: ["get", "patch", "delete"], isOfNamespace: true },
];

/** An object that not every stack has. */
export interface OptionalObject {
  readonly kind: string;
  readonly apiVersion: string;
  readonly resource: string;
  /** The setting that adds it. */
  readonly by: string;
}

const review = z.object({
  spec: z.object({
    resourceAttributes: z.object({
      group: z.string().default(""),
      resource: z.string(),
      subresource: z.string().optional(),
      verb: z.string(),
    }),
  }),
  status: z.object({ allowed: z.boolean().default(false) }),
});

/** What the API server is to be asked, a question for each verb. Exported for its test. */
export function accessReviews(
  namespace: string,
  optional: readonly OptionalObject[],
  granted: readonly NamespaceRight[] = [],
) {
  const added = optional.map(({ apiVersion, resource }) => ({
    group: groupOf(apiVersion),
    resource,
    verbs: change,
  }));
  const needed = [
    ...clusterRights.map((right) => ({
      ...right,
      inside: right.isOfNamespace === true ? { namespace, name: namespace } : {},
    })),
    ...[...namespaceRights, ...added].map((right) => ({ ...right, inside: { namespace } })),
    ...granted.map(({ name, ...right }) => ({
      ...right,
      inside: name === undefined ? { namespace } : { namespace, name },
    })),
  ];
  return needed.flatMap(({ group, resource: path, verbs, inside }) => {
    const [resource, subresource] = path.split("/");
    const attributes = { ...inside, group, resource, ...(subresource === undefined ? {} : { subresource }) };
    return verbs.map((verb) => ({
      apiVersion: "authorization.k8s.io/v1",
      kind: "SelfSubjectAccessReview",
      spec: { resourceAttributes: { ...attributes, verb } },
    }));
  });
}

/** The rights that are missing, such as "create and patch secrets". @throws ClusterError */
export async function missingRights(
  kubectl: Kubectl,
  namespace: string,
  optional: readonly OptionalObject[],
  granted: readonly NamespaceRight[],
): Promise<string[]> {
  const items = accessReviews(namespace, optional, granted);
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items });
  const command = ["create", "--validate=false", "--filename=-", "--output=json"];
  const text = await kubectl.run(command, { input: list });
  // One object after the other.
  const reviews = z.array(review).parse(JSON.parse(`[${text.trim().replaceAll(/^\}\n\{/gm, "},\n{")}]`));
  const refused = new Map<string, string[]>();
  for (const { spec, status } of reviews) {
    if (status.allowed) continue;
    const { resource, subresource, verb } = spec.resourceAttributes;
    const path = subresource === undefined ? resource : `${resource}/${subresource}`;
    refused.set(path, [...(refused.get(path) ?? []), verb]);
  }
  return [...refused].map(([path, verbs]) => `${listed(verbs)} ${path}`);
}

/** The group of "apps/v1". */
function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
}

function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`;
}
