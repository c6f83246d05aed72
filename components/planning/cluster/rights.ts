import { z } from "zod";
import type { Kubectl } from "../../../cluster/kubectl.ts";
import { enumerate } from "../../config/enumerate.ts";
import type { NamespaceRight } from "../../config/kubernetes/standby-rights.ts";

/** A permission in a cluster, like a rule of a Role. */
interface Right {
  /** Whether it is restricted to the stack's namespace. */
  readonly isOfNamespace?: true;
  readonly group: string;
  readonly resource: string;
  readonly verbs: readonly string[];
}

const watch = ["get", "list", "watch"] as const;
const change = ["get", "list", "watch", "create", "patch", "delete"] as const;

/** Permissions needed in the namespace to update a stack. docs/kubernetes.md has them as a Role. */
export const namespaceRights: readonly Right[] = [
  { group: "", resource: "configmaps", verbs: change },
  { group: "", resource: "secrets", verbs: change },
  { group: "", resource: "services", verbs: change },
  { group: "", resource: "pods", verbs: ["get", "list", "watch", "patch"] },
  { group: "", resource: "pods/exec", verbs: ["get", "create"] },
  // Pulumi's provider watches a Deployment's rollout; without these permissions it would time out.
  { group: "", resource: "persistentvolumeclaims", verbs: watch },
  { group: "apps", resource: "replicasets", verbs: watch },
  { group: "apps", resource: "deployments", verbs: change },
  { group: "apps", resource: "statefulsets", verbs: change },
  { group: "networking.k8s.io", resource: "networkpolicies", verbs: change },
  { group: "policy", resource: "poddisruptionbudgets", verbs: change },
];

/** Permissions needed in the cluster to create the namespace. docs/kubernetes.md has them as a ClusterRole. */
export const clusterRights: readonly Right[] = [
  // RBAC cannot restrict create and list to a name.
  { group: "", resource: "namespaces", verbs: ["list", "watch", "create"] },
  { group: "", resource: "namespaces", verbs: ["get", "patch", "delete"], isOfNamespace: true },
];

/** An object that depends on the config. */
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

/** The access reviews for the API server, one for each verb. Exported for its test. */
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

/** The missing permissions, such as "create and patch secrets". @throws ClusterError */
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
  // kubectl prints the objects one after another, without a list around them.
  const reviews = z.array(review).parse(JSON.parse(`[${text.trim().replaceAll(/^\}\n\{/gm, "},\n{")}]`));
  const refused = new Map<string, string[]>();
  for (const { spec, status } of reviews) {
    if (status.allowed) continue;
    const { resource, subresource, verb } = spec.resourceAttributes;
    const path = subresource === undefined ? resource : `${resource}/${subresource}`;
    refused.set(path, [...(refused.get(path) ?? []), verb]);
  }
  return [...refused].map(([path, verbs]) => `${enumerate(verbs)} ${path}`);
}

/** The group of "apps/v1". */
function groupOf(apiVersion: string): string {
  return apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
}
