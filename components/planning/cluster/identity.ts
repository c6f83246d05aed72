import * as pulumi from "@pulumi/pulumi";
import { identify } from "../../../cluster/identity.ts";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import type { ParsedConfig } from "../../config/keys.ts";

/**
 * The outputs by which scripts notice that a context leads to another cluster by now, before they change anything there:
 * what they cannot compare with is taken as it is.
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
