import type { ClusterAddress } from "../../../cluster/address.ts";

/** What the component hands to its command; missing means that the two do not fit together. */
export function required(key: string): string {
  const value = optional(key);
  if (value === undefined) throw new Error(`${key} is not set`);
  return value;
}

/** What the component hands over only sometimes. */
export function optional(key: string): string | undefined {
  const value = process.env[key];
  return value === "" ? undefined : value;
}

/** The cluster of a stack on Kubernetes. */
export function clusterAddress(): ClusterAddress {
  return {
    kubeconfig: optional("CLUSTER_KUBECONFIG") ?? "",
    context: optional("CLUSTER_CONTEXT") ?? "",
    namespace: required("CLUSTER_NAMESPACE"),
  };
}
