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
 * Declares a stack on a cluster of Kubernetes, and returns its outputs.
 *
 * @param clusterId what tells the cluster from others, as far as one may know
 */
export function declareStack(given: ParsedConfig, projectRoot: string, clusterId?: string) {
  const config = withImage(given, projectRoot);
  const provider = clusterProvider(config);
  const namespace = clusterNamespace(pulumi.getStack(), config.namespace);
  const options = { provider };
  const place = new ClusterObject(
    "Namespace",
    "namespace",
    {
      metadata: {
        name: namespace,
        labels: { ...securityLabels(config), ...namespaceLabels(pulumi.getStack()) },
      },
    },
    // Volumes in it go with it.
    { ...options, retainOnDelete: keepsVolumes(config) },
  );
  const inside = { ...options, dependsOn: place };
  const environment = {
    ...(config.kubeconfig === "" ? {} : { CLUSTER_KUBECONFIG: config.kubeconfig }),
    ...(config.kubeContext === "" ? {} : { CLUSTER_CONTEXT: config.kubeContext }),
    CLUSTER_NAMESPACE: namespace,
    READY_TIMEOUT_SECONDS: String(config.readyTimeoutSeconds),
  };
  const ollama = new OllamaPods("ollama", { config, namespace, environment }, inside);
  const generation = ollama.statefulSet.metadata.apply((metadata) => String(metadata.generation ?? ""));
  const models = new command.local.Command(
    "models",
    {
      create: "node components/commands/await-models.ts",
      environment: { ...environment, MODELS_VERSION: ollama.modelsVersion },
      // Whatever changes the pods, the update waits for them.
      triggers: [generation],
      logging: command.types.enums.local.Logging.Stderr,
      addPreviousOutputInEnv: false,
    },
    { dependsOn: ollama },
  );
  // Beside the gateway: what runs on the CPU serves, only slowly.
  if (config.gpus !== "none")
    new command.local.Command(
      "models-in-gpu-memory",
      {
        create: "node components/commands/check-pod-gpu-memory.ts",
        environment: { ...environment, MODELS_VERSION: ollama.modelsVersion },
        triggers: [generation],
        logging: command.types.enums.local.Logging.Stderr,
        addPreviousOutputInEnv: false,
      },
      { dependsOn: models },
    );
  const port = config.gatewayPort;
  if (port === "auto") throw new Error("the port of the Service is to be known");
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

/** With the name that the image of these sources has in the registry, unless one is given. */
function withImage(config: ParsedConfig, projectRoot: string): ParsedConfig {
  const { gatewayImage, imageRegistry, gatewayBaseImage } = config;
  if (gatewayImage !== "") return config;
  const { tag } = clusterImage(projectRoot, gatewayBaseImage);
  return { ...config, gatewayImage: `${imageIn(imageRegistry)}:${tag}` };
}

/** Whether there are volumes in its namespace that outlive the stack. */
function keepsVolumes({ retainModels, storageClass, gatewayUsageVolume }: ParsedConfig): boolean {
  return (retainModels && storageClass !== "") || gatewayUsageVolume !== "";
}
