import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { clusterNamespace } from "../../../engine/names.ts";
import type { GivenConfig } from "../../config/keys.ts";
import { GatewayPods } from "./gateway.ts";
import { clusterProvider, ClusterObject } from "./objects.ts";
import { OllamaPods } from "./ollama.ts";
import { securityLabels } from "./pods.ts";

const installed = z.array(z.object({ name: z.string(), digest: z.string(), size: z.number() }));

/** Declares a stack on a cluster of Kubernetes, and returns its outputs. */
export function deployStack(config: GivenConfig) {
  const provider = clusterProvider(config);
  const namespace = clusterNamespace(pulumi.getStack(), config.namespace);
  const options = { provider };
  const place = new ClusterObject(
    "Namespace",
    "namespace",
    { metadata: { name: namespace, labels: securityLabels } },
    // Its volumes go with it.
    { ...options, retainOnDelete: config.retainModels },
  );
  const inside = { ...options, dependsOn: place };
  const environment = {
    ...(config.kubeconfig === "" ? {} : { CLUSTER_KUBECONFIG: config.kubeconfig }),
    ...(config.kubeContext === "" ? {} : { CLUSTER_CONTEXT: config.kubeContext }),
    CLUSTER_NAMESPACE: namespace,
    READY_TIMEOUT_SECONDS: String(config.readyTimeoutSeconds),
  };
  const ollama = new OllamaPods("ollama", { config, namespace, environment }, inside);
  const models = new command.local.Command(
    "models",
    {
      create: "node components/commands/await-models.ts",
      environment: { ...environment, MODELS_VERSION: ollama.modelsVersion },
      // Whatever changes the pods, the update waits for them.
      triggers: [ollama.statefulSet.metadata.apply(({ generation }) => String(generation ?? ""))],
      logging: command.types.enums.local.Logging.Stderr,
      addPreviousOutputInEnv: false,
    },
    { dependsOn: ollama },
  );
  const gateway = new GatewayPods(
    "gateway",
    { config, namespace, servers: ollama.address, environment },
    { ...options, dependsOn: models },
  );
  return {
    engine: "kubernetes",
    namespace,
    gatewayUrl: gateway.url,
    keysRequired: true,
    installedModels: models.stdout.apply((text) =>
      installed
        .parse(JSON.parse(text))
        .map(({ name, digest, size }) => ({ model: name, digest, sizeBytes: size })),
    ),
  };
}
