import * as pulumi from "@pulumi/pulumi";
import { clusterNamespace } from "../../../engine/names.ts";
import type { GivenConfig } from "../../config/keys.ts";
import { refuseUnfit } from "../../planning/cluster/preflight.ts";
import { planPodModels } from "../../planning/cluster/pod-models.ts";
import { deployStack as declareStack } from "./stack.ts";

/** Checks the cluster, says what the pods will pull, then declares the stack, and returns its outputs. */
export async function deployStack(config: GivenConfig, projectRoot: string) {
  const namespace = clusterNamespace(pulumi.getStack(), config.namespace);
  const { autoscaling, ollamaMinReplicas, ollamaReplicas } = config;
  const replicas = autoscaling === "none" ? ollamaReplicas : Math.max(1, ollamaMinReplicas);
  const { gpus, gpuResource: resource, gpusPerPod: count } = config;
  const gpuRequest = gpus === "none" ? undefined : { resource, count };
  await refuseUnfit({ ...config, namespace, replicas, gpuRequest });
  await planPodModels(config, namespace, replicas);
  return declareStack(config, projectRoot);
}
