import { identify } from "../../../cluster/identity.ts";
import { Kubectl } from "../../../cluster/kubectl.ts";
import type { ParsedConfig } from "../../config/keys.ts";

/**
 * Outputs that identify the cluster, so that scripts notice when a context points to another cluster before they change
 * anything. Scripts skip the comparison if an output is missing.
 *
 * @throws ClusterError when the cluster does not respond
 */
export async function clusterIdentity({
  kubeconfig,
  kubeContext: context,
}: Pick<ParsedConfig, "kubeconfig" | "kubeContext">) {
  const { id, server } = await identify(new Kubectl({ kubeconfig, context, namespace: "" }));
  return {
    ...(id === undefined ? {} : { clusterId: id }),
    ...(server === undefined ? {} : { clusterServer: server }),
  };
}
