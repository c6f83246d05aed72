import type { demandOf } from "../../components/planning/cluster/demand.ts";

/** The config of a stack on Kubernetes, as far as its demands on the cluster depend on it: all defaults, two Ollama servers. */
export const clusterConfig: Parameters<typeof demandOf>[0] = {
  kubeconfig: "",
  kubeContext: "",
  storageClass: "",
  ollamaReplicas: 2,
  nodeSelector: {},
  tolerations: [],
  gpus: "none",
  gpuResource: "nvidia.com/gpu",
  gpusPerPod: 0,
  ingressClass: "",
  ingressHostnames: [],
  autoscaling: "none",
  ollamaMinReplicas: 1,
  podMonitor: false,
  gatewayReplicas: 1,
  gatewayMaxReplicas: 1,
  state: "memory",
  statePasswordSecret: "",
  gatewayUsageVolume: "",
};
