import type { ClusterAddress } from "../../../cluster/address.ts";

/** A variable that the component must pass to its command. @throws if it is not set */
export function requiredVariable(key: string): string {
  const value = optionalVariable(key);
  if (value === undefined) throw new Error(`${key} is not set`);
  return value;
}

/** A variable that the component passes conditionally. */
export function optionalVariable(key: string): string | undefined {
  const value = process.env[key];
  return value === "" ? undefined : value;
}

/** The cluster of a stack on Kubernetes. */
export function clusterAddress(): ClusterAddress {
  return {
    kubeconfig: optionalVariable("CLUSTER_KUBECONFIG") ?? "",
    context: optionalVariable("CLUSTER_CONTEXT") ?? "",
    namespace: requiredVariable("CLUSTER_NAMESPACE"),
  };
}
