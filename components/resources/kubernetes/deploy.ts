import * as pulumi from "@pulumi/pulumi";
import { clusterNamespace } from "../../../engine/names.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { recordedClusterType } from "../../../cluster/identity.ts";
import { ClusterError } from "../../../cluster/kubectl.ts";
import { demandOf } from "../../planning/cluster/demand.ts";
import { clusterIdentity } from "../../planning/cluster/identity.ts";
import { warnOfChangedClaims } from "../../planning/cluster/model-claims.ts";
import { requireFitCluster } from "../../planning/cluster/preflight.ts";
import { planPodModels } from "../../planning/cluster/pod-models.ts";
import { declareStack } from "./stack.ts";

/**
 * Records the cluster's identity in the state before anything changes there. Stack outputs are recorded only at the end of an
 * update, which a failed first update does not reach.
 */
class RecordedCluster extends pulumi.ComponentResource {
  constructor(name: string, identity: Awaited<ReturnType<typeof clusterIdentity>>) {
    super(recordedClusterType, name);
    this.registerOutputs(identity);
  }
}

/** Checks the cluster, logs what the pods will pull, declares the stack, and returns its outputs. */
export async function deployStack(config: ParsedConfig, projectRoot: string) {
  const namespace = clusterNamespace(pulumi.getStack(), config.namespace);
  const identity = await plan(config, namespace).catch((error: unknown) => {
    // Pulumi prints it without a stack trace.
    throw error instanceof ClusterError ? new pulumi.RunError(error.message) : error;
  });
  new RecordedCluster("cluster-identity", identity);
  return { ...declareStack(config, projectRoot, identity.clusterId), ...identity };
}

/** Checks the cluster and logs what the update does there. Returns the cluster's identity. */
async function plan(config: ParsedConfig, namespace: string) {
  // It must be possible to revoke a leaked key even if a model or a node is missing.
  if (process.env["OLLAMA_STACK_KEYS_ONLY"] !== "true") {
    const demand = demandOf(config, namespace);
    await requireFitCluster(demand);
    await planPodModels(config, namespace, demand.replicas);
    await warnOfChangedClaims(config);
  }
  return await clusterIdentity(config);
}
