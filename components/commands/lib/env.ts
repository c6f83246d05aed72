import type { ClusterAddress } from "../../../cluster/address.ts";

/** A variable that the component must pass to its command. @throws if it is not set */
export function required(key: string): string {
  const value = optional(key);
  if (value === undefined) throw new Error(`${key} is not set`);
  return value;
}

/** A variable that the component passes conditionally. */
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
