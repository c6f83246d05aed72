import type { Property } from "./property.ts";

const leftOut = (key: string): RegExp =>
  new RegExp(
    `${key} is .*, but must be left out while engine is docker: .*; remove it with: pulumi config rm '${key}'`,
  );

const only = (key: string, value: unknown): Readonly<Record<string, Property>> => ({
  [key]: { value: () => value, promised: "nothing on Docker", refused: leftOut(key) },
});

/** The keys of stacks on Kubernetes, which a stack on Docker refuses. */
export const clusterProperties: Readonly<Record<string, Property>> = {
  engine: {
    value: () => "kubernetes",
    promised: "another engine",
    refused: /gatewayImage is "", but must be the gateway's image in a registry that the nodes pull from/,
  },
  ...only("kubeconfig", "/root/.kube/config"),
  ...only("kubeContext", "other"),
  ...only("namespace", "llm"),
  ...only("storageClass", "fast"),
  ...only("modelStorageGiB", 10),
  ...only("gatewayImage", "registry.example.org/gateway:1"),
  ...only("nodeSelector", { gpu: "true" }),
  ...only("tolerations", [{ key: "gpu", operator: "Exists" }]),
  ...only("imageRegistry", "registry.example.org/you"),
  ...only("imagePullSecrets", ["registry"]),
  ...only("modelHostPath", "/srv/models"),
  ...only("gpuResource", "amd.com/gpu"),
  ...only("gpusPerPod", 1),
  ...only("gpuGroups", [44]),
  ...only("runtimeClass", "nvidia"),
  ...only("ingressClass", "nginx"),
  ...only("gatewayClass", "eg"),
  ...only("ingressHostnames", ["llm.example.org"]),
  ...only("ingressTlsSecret", "gateway-tls"),
  ...only("ingressAnnotations", { "example.org/a": "b" }),
  ...only("gatewayAllowedSources", ["10.0.0.0/8"]),
  ...only("autoscaling", "keda"),
  ...only("ollamaMinReplicas", 0),
  ...only("ollamaMaxReplicas", 9),
  ...only("podMonitor", true),
  ...only("state", "redis"),
  ...only("stateAddress", "redis://valkey.example.org:6379"),
  ...only("statePasswordSecret", "valkey"),
  ...only("stateImage", "valkey/valkey:9"),
  ...only("stateMemoryMiB", 1024),
  ...only("gatewayMaxReplicas", 4),
};
