import type { Property } from "./property.ts";

const mustBeLeftOut = (key: string): RegExp =>
  new RegExp(
    `${key} is .*, but must be left out while engine is docker: .*; remove it with: pulumi config rm '${key}'`,
  );

const kubernetesOnly = (key: string, value: unknown): Readonly<Record<string, Property>> => ({
  [key]: { value: () => value, effect: "nothing on Docker", error: mustBeLeftOut(key) },
});

/** The keys of stacks on Kubernetes, which a stack on Docker rejects. */
export const clusterProperties: Readonly<Record<string, Property>> = {
  engine: {
    value: () => "kubernetes",
    effect: "another engine",
    testedIn: "tests/unit/config/engine-keys.test.ts",
  },
  ...kubernetesOnly("kubeconfig", "/root/.kube/config"),
  ...kubernetesOnly("kubeContext", "other"),
  ...kubernetesOnly("namespace", "llm"),
  ...kubernetesOnly("storageClass", "fast"),
  ...kubernetesOnly("modelStorageGiB", 10),
  ...kubernetesOnly("gatewayImage", "registry.example.org/gateway:1"),
  ...kubernetesOnly("nodeSelector", { gpu: "true" }),
  ...kubernetesOnly("tolerations", [{ key: "gpu", operator: "Exists" }]),
  ...kubernetesOnly("imageRegistry", "registry.example.org/you"),
  ...kubernetesOnly("imagePullSecrets", ["registry"]),
  ...kubernetesOnly("modelHostPath", "/srv/models"),
  ...kubernetesOnly("gpuResource", "amd.com/gpu"),
  ...kubernetesOnly("gpusPerPod", 1),
  ...kubernetesOnly("gpuGroups", [44]),
  ...kubernetesOnly("runtimeClass", "nvidia"),
  ...kubernetesOnly("ingressClass", "nginx"),
  ...kubernetesOnly("gatewayClass", "eg"),
  ...kubernetesOnly("ingressHostnames", ["llm.example.org"]),
  ...kubernetesOnly("ingressTlsSecret", "gateway-tls"),
  ...kubernetesOnly("ingressAnnotations", { "example.org/a": "b" }),
  ...kubernetesOnly("gatewayAllowedSources", ["10.0.0.0/8"]),
  ...kubernetesOnly("autoscaling", "keda"),
  ...kubernetesOnly("ollamaMinReplicas", 0),
  ...kubernetesOnly("ollamaMaxReplicas", 9),
  ...kubernetesOnly("podMonitor", true),
  ...kubernetesOnly("state", "redis"),
  ...kubernetesOnly("stateAddress", "redis://valkey.example.org:6379"),
  ...kubernetesOnly("statePasswordSecret", "valkey"),
  ...kubernetesOnly("stateImage", "valkey/valkey:9"),
  ...kubernetesOnly("stateMemoryMiB", 1024),
  ...kubernetesOnly("gatewayMaxReplicas", 4),
};
