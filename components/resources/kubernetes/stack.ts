import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { namespaceLabels } from "../../../engine/labels.ts";
import { clusterNamespace } from "../../../engine/names.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { clusterImage, imageIn } from "../gateway-image/cluster-image.ts";
import { isGatewayScaled } from "../../config/kubernetes/gateway-count.ts";
import { autoscaling } from "./autoscaling.ts";
import { gatewayAutoscaler } from "./gateway-scaling.ts";
import { GatewayPods } from "./gateway.ts";
import { OutsideAccess } from "./ingress.ts";
import { metricsSecret, podMonitor, readsMetrics } from "./metrics.ts";
import { clusterProvider, ClusterObject } from "./objects.ts";
import { OllamaPods } from "./ollama.ts";
import { securityLabels } from "./pods.ts";
import { stateAccess, StatePods } from "./state.ts";

const installed = z.array(z.object({ name: z.string(), digest: z.string(), size: z.number() }));

/**
 * Declares a stack on a Kubernetes cluster, and returns its outputs.
 *
 * @param clusterId the cluster's identity, if permissions allow reading it
 */
export function declareStack(parsed: ParsedConfig, projectRoot: string, clusterId?: string) {
  const config = withImage(parsed, projectRoot);
  const provider = clusterProvider(config);
  const namespace = clusterNamespace(pulumi.getStack(), config.namespace);
  const options = { provider };
  const namespaceObject = new ClusterObject(
    "Namespace",
    "namespace",
    {
      metadata: {
        name: namespace,
        labels: { ...securityLabels(config), ...namespaceLabels(pulumi.getStack()) },
      },
    },
    // Deleting the namespace would delete its volumes.
    { ...options, retainOnDelete: keepsVolumes(config) },
  );
  const inside = { ...options, dependsOn: namespaceObject };
  const environment = {
    ...(config.kubeconfig === "" ? {} : { CLUSTER_KUBECONFIG: config.kubeconfig }),
    ...(config.kubeContext === "" ? {} : { CLUSTER_CONTEXT: config.kubeContext }),
    CLUSTER_NAMESPACE: namespace,
    READY_TIMEOUT_SECONDS: String(config.readyTimeoutSeconds),
  };
  const ollama = new OllamaPods("ollama", { config, namespace, environment }, inside);
  const generation = ollama.statefulSet.metadata.apply((metadata) => String(metadata.generation ?? ""));
  // If the update only restores what somebody deleted or changed, version and generation are the same as before.
  const awaited = {
    MODELS_VERSION: ollama.modelsVersion,
    STATEFUL_SET_UID: ollama.statefulSet.metadata.apply(({ uid = "" }) => uid),
    MODELS_RESOURCE_VERSION: ollama.modelList.metadata.apply(({ resourceVersion = "" }) => resourceVersion),
  };
  const models = new command.local.Command(
    "models",
    {
      create: "node components/commands/await-models.ts",
      environment: {
        ...environment,
        ...awaited,
        PODS_END_WITHIN_SECONDS: String(ollama.stopSeconds),
      },
      // Waits again after any change of the pods.
      triggers: [generation],
      logging: command.types.enums.local.Logging.Stderr,
      addPreviousOutputInEnv: false,
    },
    { dependsOn: ollama },
  );
  // In parallel with the gateway, because models on the CPU still work, although slowly.
  if (config.gpus !== "none")
    new command.local.Command(
      "models-in-gpu-memory",
      {
        create: "node components/commands/check-pod-gpu-memory.ts",
        environment: { ...environment, ...awaited },
        triggers: [generation],
        logging: command.types.enums.local.Logging.Stderr,
        addPreviousOutputInEnv: false,
      },
      { dependsOn: models },
    );
  const port = config.gatewayPort;
  if (port === "auto") throw new Error("the port of the Service must be a number");
  const metricsKeyDigest = readsMetrics(config) ? metricsSecret(namespace, inside) : undefined;
  const state = stateAccess(config, namespace, clusterId);
  const store =
    state === undefined || config.stateAddress !== ""
      ? undefined
      : new StatePods("state", { config, namespace }, inside);
  const gateway = new GatewayPods(
    "gateway",
    {
      config,
      namespace,
      servers: ollama.address,
      environment,
      port,
      state,
      statePassword: store?.passwordVersion,
      metricsKeyDigest,
    },
    { ...options, dependsOn: [models, ...(store === undefined ? [] : [store])] },
  );
  const behind = { ...options, dependsOn: gateway };
  if (config.ingressHostnames.length > 0) new OutsideAccess("outside", { config, namespace, port }, behind);
  if (isGatewayScaled(config)) gatewayAutoscaler(config, namespace, behind);
  if (config.podMonitor) podMonitor(config, namespace, behind);
  if (config.autoscaling !== "none") autoscaling({ config, namespace, gatewayUrl: gateway.url }, behind);
  const [host] = config.ingressHostnames;
  return {
    engine: "kubernetes",
    namespace,
    gatewayUrl: gateway.url,
    ...(host === undefined ? {} : { publicUrl: `https://${host}` }),
    keysRequired: true,
    installedModels: models.stdout.apply((text) =>
      installed
        .parse(JSON.parse(text))
        .map(({ name, digest, size }) => ({ model: name, digest, sizeBytes: size })),
    ),
  };
}

/** Sets the gateway's image to the one built from these sources, unless the config sets one. */
function withImage(config: ParsedConfig, projectRoot: string): ParsedConfig {
  const { gatewayImage, imageRegistry, gatewayBaseImage } = config;
  if (gatewayImage !== "") return config;
  const { tag } = clusterImage(projectRoot, gatewayBaseImage);
  return { ...config, gatewayImage: `${imageIn(imageRegistry)}:${tag}` };
}

/** Whether the namespace contains volumes that must survive the stack. */
function keepsVolumes({ retainModels, storageClass, gatewayUsageVolume }: ParsedConfig): boolean {
  return (retainModels && storageClass !== "") || gatewayUsageVolume !== "";
}
