import * as pulumi from "@pulumi/pulumi";
import { identify } from "../../../cluster/identity.ts";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import type { ParsedConfig } from "../../config/keys.ts";

/**
 * Outputs that identify the cluster, so that scripts notice when a context points to another cluster before they change
 * anything. Scripts skip the comparison if an output is missing.
 */
export async function clusterIdentity({
  kubeconfig,
  kubeContext: context,
}: Pick<ParsedConfig, "kubeconfig" | "kubeContext">) {
  try {
    const { id, server } = await identify(new Kubectl({ kubeconfig, context, namespace: "" }));
    return {
      ...(id === undefined ? {} : { clusterId: id }),
      ...(server === undefined ? {} : { clusterServer: server }),
    };
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    throw new pulumi.RunError(error.message);
  }
}
