import { createHash } from "node:crypto";
import * as command from "@pulumi/command";
import * as pulumi from "@pulumi/pulumi";
import type { ObjectKind } from "../../config/kubernetes/cluster-objects.ts";
import { gpuTolerations } from "../../config/kubernetes/gpu-tolerations.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { splitHostsLine } from "../../config/hosts-line.ts";
import {
  keeperFile,
  type PodModels,
  podModels,
  recordsFile,
  stateFile,
} from "../../config/kubernetes/pod-models.ts";
import { gpuSettings } from "./gpus.ts";
import { ollamaPolicy } from "./network-policies.ts";
import { ClusterObject } from "./objects.ts";
import {
  containerSecurity,
  podSecurity,
  pullSecrets,
  resources,
  temporaryFolder,
  variables,
} from "./pods.ts";

export const ollamaPort = 11434;
const port = ollamaPort;
/** Port of the model keeper's readiness and drain endpoints. */
const keeperPort = 8090;
const app = { app: "ollama" };

// A terminating pod still gets requests until the cluster's DNS and then the gateway have dropped its address.
const discoveryUpdateSeconds = 15;

export interface OllamaArgs {
  readonly config: ParsedConfig;
  readonly namespace: pulumi.Input<string>;
  /** Environment for commands, with the cluster's address. */
  readonly environment: Readonly<Record<string, string>>;
}

/** Ollama on Kubernetes: one pod per replica, each on its own node and with its own volume of models. */
export class OllamaPods extends pulumi.ComponentResource {
  /** The address at which the gateway discovers the pods. */
  readonly address = `dns+ollama:${String(port)}`;
  readonly statefulSet: ClusterObject;
  /** The ConfigMap with the model list. */
  readonly modelList: ClusterObject;
  /** A hash of the model list. */
  readonly modelsVersion: string;
  /** Maximum time for a pod to stop. */
  readonly stopSeconds: number;

  constructor(
    name: string,
    { config, namespace, environment }: OllamaArgs,
    opts: pulumi.ComponentResourceOptions,
  ) {
    super("ollama-stack:kubernetes:OllamaPods", name, {}, opts);
    const parent = { parent: this };
    this.stopSeconds = stopSeconds(config);
    const object = (kind: ObjectKind, suffix: string, spec: object, more = {}) =>
      new ClusterObject(
        kind,
        `${name}-${suffix}`,
        { metadata: { name: "ollama", namespace, ...more }, ...spec },
        parent,
      );

    const list: PodModels = podModels(config);
    const text = JSON.stringify(list, undefined, 2);
    this.modelsVersion = createHash("sha256").update(text).digest("hex").slice(0, 16);
    this.modelList = new ClusterObject(
      "ConfigMap",
      `${name}-models`,
      { metadata: { name: "models", namespace }, data: { "models.json": text } },
      parent,
    );
    const service = object(
      "Service",
      "service",
      { spec: { clusterIP: "None", selector: app, ports: [{ name: "http", port }] } },
      // The provider would watch the endpoints, and wait ten minutes without the permission to.
      { annotations: { "pulumi.com/skipAwait": "true" } },
    );
    // Draining nodes evicts one pod at a time.
    object("PodDisruptionBudget", "disruption", {
      spec: { maxUnavailable: 1, selector: { matchLabels: app } },
    });
    object("NetworkPolicy", "access", { spec: ollamaPolicy(config, port) });
    const ended = new command.local.Command(
      `${name}-pods-gone`,
      {
        delete: "node components/commands/await-pods-gone.ts",
        environment: { ...environment, PODS_END_WITHIN_SECONDS: String(this.stopSeconds) },
        addPreviousOutputInEnv: false,
      },
      parent,
    );
    this.statefulSet = new ClusterObject(
      "StatefulSet",
      `${name}-pods`,
      {
        // The provider would time out after a fixed time; the command that waits for the models fails only when there is
        // no progress.
        metadata: { name: "ollama", namespace, annotations: { "pulumi.com/skipAwait": "true" } },
        spec: statefulSet(config),
      },
      { ...parent, dependsOn: [this.modelList, service, ended], deleteBeforeReplace: true },
    );
    this.registerOutputs({});
  }
}

function stopSeconds({ drainTimeoutSeconds }: ParsedConfig): number {
  return drainTimeoutSeconds + discoveryUpdateSeconds;
}

function statefulSet(config: ParsedConfig) {
  const claims = [
    {
      metadata: { name: "models" },
      spec: {
        accessModes: ["ReadWriteOnce"],
        storageClassName: config.storageClass,
        resources: { requests: { storage: `${String(config.modelStorageGiB)}Gi` } },
      },
    },
  ];
  const isClaimed = config.storageClass !== "";
  const gpus = gpuSettings(config);
  return {
    serviceName: "ollama",
    // With autoscaling, an update keeps the current number of pods.
    ...(config.autoscaling === "none" ? { replicas: config.ollamaReplicas } : {}),
    podManagementPolicy: "Parallel",
    selector: { matchLabels: app },
    ...(isClaimed
      ? {
          volumeClaimTemplates: claims,
          persistentVolumeClaimRetentionPolicy: {
            whenDeleted: config.retainModels ? "Retain" : "Delete",
            whenScaled: "Retain",
          },
        }
      : {}),
    template: {
      metadata: { labels: app },
      spec: {
        ...podSecurity,
        ...pullSecrets(config),
        ...gpus.pod,
        securityContext: { ...podSecurity.securityContext, ...gpus.supplementalGroups },
        terminationGracePeriodSeconds: stopSeconds(config),
        nodeSelector: config.nodeSelector,
        tolerations: [...config.tolerations, ...gpuTolerations(config)],
        hostAliases: hostAliases(config.ollamaHosts),
        // Two pods on a node would compete for its memory and GPUs.
        affinity: {
          podAntiAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { labelSelector: { matchLabels: app }, topologyKey: "kubernetes.io/hostname" },
            ],
          },
        },
        initContainers: [keeper(config)],
        containers: [server(config)],
        volumes: [
          { name: "wanted", configMap: { name: "models" } },
          temporaryFolder("state", 16),
          temporaryFolder("tmp", 256),
          ...(isClaimed ? [] : [{ name: "models", ...nodeStorage(config) }]),
        ],
      },
    },
  };
}

/** Storage on the node's disk: a persistent folder, or one that is deleted with the pod. */
function nodeStorage({ modelHostPath, modelStorageGiB }: ParsedConfig) {
  // The folder must exist, because the kubelet would create it as root.
  if (modelHostPath !== "") return { hostPath: { path: modelHostPath, type: "Directory" } };
  return { emptyDir: { sizeLimit: `${String(modelStorageGiB)}Gi` } };
}

/** Groups host names by address, because the API server accepts each address only once. */
function hostAliases(lines: readonly string[]) {
  const names = Map.groupBy(lines.map(splitHostsLine), ({ ip }) => ip);
  return [...names].map(([ip, hosts]) => ({ ip, hostnames: hosts.map(({ host }) => host) }));
}

const modelFolder = "/models";

function server(config: ParsedConfig) {
  const gpus = gpuSettings(config);
  const limits = resources({ memoryMiB: config.ollamaMemoryMiB, cpus: config.ollamaCpus });
  const responds = { httpGet: { path: "/api/version", port: "http" }, timeoutSeconds: 5 };
  return {
    name: "ollama",
    image: config.ollamaImage,
    ports: [{ name: "http", containerPort: port }],
    env: variables({
      ...gpus.environment,
      ...config.ollamaEnvironment,
      HOME: modelFolder,
      OLLAMA_MODELS: modelFolder,
      OLLAMA_HOST: `0.0.0.0:${String(port)}`,
      OLLAMA_NUM_PARALLEL: String(config.ollamaParallel),
      OLLAMA_CONTEXT_LENGTH: String(config.ollamaContextLength),
      OLLAMA_KEEP_ALIVE: config.ollamaKeepAlive,
      // Keeps prompts on the private service.
      OLLAMA_NO_CLOUD: "1",
    }),
    startupProbe: { ...responds, periodSeconds: 1, failureThreshold: config.readyTimeoutSeconds },
    readinessProbe: { ...responds, periodSeconds: 2 },
    livenessProbe: { ...responds, periodSeconds: 10, failureThreshold: 6 },
    lifecycle: { preStop: { httpGet: { path: "/drain", port: keeperPort } } },
    resources: { ...limits, limits: { ...limits.limits, ...gpus.limits } },
    securityContext: containerSecurity,
    volumeMounts: [
      { name: "models", mountPath: modelFolder },
      { name: "tmp", mountPath: "/tmp" },
    ],
  };
}

/** A sidecar that pulls the pod's models; the pod is ready only when the sidecar is. */
function keeper(config: ParsedConfig) {
  return {
    name: "models",
    image: config.gatewayImage,
    command: ["node", `/app/${keeperFile}`],
    restartPolicy: "Always",
    env: variables({
      OLLAMA_URL: `http://127.0.0.1:${String(port)}`,
      MODELS_FILE: "/wanted/models.json",
      RECORDS_FILE: recordsFile,
      STATE_FILE: stateFile,
      KEEPER_PORT: String(keeperPort),
      DRAIN_SECONDS: String(config.drainTimeoutSeconds),
      ...(config.gpus === "none" ? {} : gpuMemoryCheck(config)),
    }),
    readinessProbe: { httpGet: { path: "/ready", port: keeperPort }, periodSeconds: 2, timeoutSeconds: 3 },
    resources: resources({ memoryMiB: 256, cpus: "" }),
    securityContext: containerSecurity,
    volumeMounts: [
      { name: "models", mountPath: modelFolder },
      { name: "wanted", mountPath: "/wanted", readOnly: true },
      { name: "state", mountPath: "/state" },
    ],
  };
}

/** Checks GPU memory, because Ollama silently falls back to the CPU. */
function gpuMemoryCheck({ ollamaKeepAlive }: ParsedConfig) {
  return {
    CHECK_GPU_MEMORY: "true",
    // Otherwise it would be unloaded before the check.
    ...(/[1-9]/.test(ollamaKeepAlive) ? {} : { LOAD_KEEP_ALIVE: "1m" }),
  };
}
