import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { clusterProperties } from "./property-table-cluster.ts";
import { edgeProperties } from "./property-table-edge.ts";
import { gatewayProperties } from "./property-table-gateway.ts";
import {
  type Property,
  environment,
  host,
  published,
  image,
  imageOf,
  commands,
  containersOf,
  memory,
  quota,
  list,
  text,
  otherImage,
  stack,
} from "./property.ts";
import { readTrustedCertificates } from "../../components/planning/trusted-certificates.ts";

// Every config key with another value than the stack's, the effect that its description must state, and where the engine
// or the state shows it.

const ollama = `ollama-stack-${stack}-ollama`;
const gateway = `ollama-stack-${stack}-gateway`;
const edge = `ollama-stack-${stack}-edge`;

export const engineSocket = process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock";
const enginePlatform = () => docker("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}");

export const properties: Readonly<Record<string, Property>> = {
  production: { value: () => true, effect: "nothing" },
  dockerHost: {
    value: () => engineSocket,
    effect: "in place",
    changes: ["gateway-keys environment.DOCKER_HOST"],
  },
  dockerCertPath: {
    value: () => "/nowhere",
    effect: "in place",
    error: /dockerCertPath is "\/nowhere", but must be empty unless dockerHost is tcp:/,
  },
  networkName: {
    value: () => `other_${stack}`,
    effect: "replaces the network",
    actual: () =>
      [ollama, gateway, edge].flatMap((name) =>
        Object.keys(inspect(name, ".NetworkSettings.Networks") as object),
      ),
    expected: (name: string) => Array<string>(3).fill(name === "" ? `ollama_network_${stack}` : name),
  },
  imagePlatform: {
    value: enginePlatform,
    effect: "replaces all images",
    actual: () =>
      [ollama, gateway].map((name) =>
        docker("image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", image(name)),
      ),
    expected: (platform: string) => Array<string>(2).fill(platform === "" ? enginePlatform() : platform),
  },
  trustedCertificates: {
    value: () => "/etc/ssl/certs/ca-certificates.crt",
    effect: "replaces all containers",
    actual: () => [ollama, gateway, edge].map((name) => environment(name, "TRUSTED_CERTIFICATES_VERSION")()),
    expected: (path: string) => Array<string | undefined>(3).fill(readTrustedCertificates(path)?.version),
  },
  ollamaReplicas: {
    value: () => 2,
    effect: "replaces the gateway",
    changes: [
      "gateway-container envs.LLM_BACKENDS",
      "gateway-container envs.LLM_SERVICE_HOST_IP",
      "gateway-container envs.LLM_SERVICE_PORT",
    ],
    actual: containersOf(/^ollama(-\d+)?-container$/),
    expected: Number,
  },
  ollamaImage: {
    value: otherImage,
    effect: "replaces Ollama's image",
    changes: ["ollama-image name", "ollama-container image"],
    actual: () => image(ollama),
    expected: imageOf,
  },
  ollamaPort: {
    value: () => 18118,
    effect: "replaces Ollama",
    changes: ["ollama-container ports.external"],
    actual: published(ollama, "HostPort"),
    expected: (port: number) => [String(port)],
  },
  ollamaBindAddress: {
    value: () => "127.0.0.2",
    effect: "replaces Ollama",
    changes: ["ollama-container ports.ip"],
    actual: published(ollama, "HostIp"),
    expected: list,
  },
  ollamaHosts: {
    value: (lines) => [...((lines as string[] | undefined) ?? []), "printer:198.18.0.9"],
    effect: "replaces Ollama",
    changes: ["ollama-container hosts"],
    actual: () => ((host(ollama, "ExtraHosts")()[0] ?? []) as string[]).toSorted(),
    expected: (lines: string[]) => lines.toSorted(),
  },
  ollamaEnvironment: {
    value: () => ({ OLLAMA_DEBUG: 1 }),
    effect: "replaces Ollama",
    changes: ["ollama-container envs.OLLAMA_DEBUG"],
    actual: environment(ollama, "OLLAMA_DEBUG"),
    expected: ({ OLLAMA_DEBUG: level }: { OLLAMA_DEBUG?: number }) => level?.toString(),
  },
  ollamaMemoryMiB: {
    value: () => 3072,
    effect: "in place",
    actual: host(ollama, "Memory", "MemorySwap"),
    expected: memory,
  },
  ollamaCpus: {
    value: () => "1.5",
    effect: "replaces Ollama",
    changes: ["ollama-container cpuPeriod", "ollama-container cpuQuota"],
    actual: host(ollama, "CpuQuota", "CpuPeriod"),
    expected: quota,
  },
  ollamaPids: {
    value: () => 900,
    effect: "in place",
    actual: host(ollama, "PidsLimit"),
    expected: list,
  },
  ollamaParallel: {
    value: () => 2,
    effect: "replaces both",
    changes: ["ollama-container envs.OLLAMA_NUM_PARALLEL", "gateway-container envs.OLLAMA_NUM_PARALLEL"],
    actual: () => [ollama, gateway].map((name) => environment(name, "OLLAMA_NUM_PARALLEL")()),
    expected: (parallel: number) => Array<string>(2).fill(String(parallel)),
  },
  ollamaContextLength: {
    value: () => 2048,
    effect: "replaces Ollama",
    changes: ["ollama-container envs.OLLAMA_CONTEXT_LENGTH"],
    actual: environment(ollama, "OLLAMA_CONTEXT_LENGTH"),
    expected: text,
  },
  ollamaKeepAlive: {
    value: () => "90s",
    effect: "replaces both",
    changes: ["ollama-container envs.OLLAMA_KEEP_ALIVE", "gateway-container envs.OLLAMA_KEEP_ALIVE"],
    actual: environment(ollama, "OLLAMA_KEEP_ALIVE"),
    expected: text,
  },
  gpus: {
    value: () => "all",
    effect: "replaces Ollama",
    testedIn: "tests/e2e/bad-input.test.ts",
  },
  modelVolume: {
    value: () => "nowhere",
    effect: "replaces Ollama",
    testedIn: "tests/unit/planning/required-volumes.test.ts",
  },
  retainModels: {
    value: () => true,
    effect: "in place",
    actual: ({ resources }) =>
      resources.filter(({ name }) => /^ollama-models$|-pull$/.test(name)).every(({ retain }) => retain),
    expected: Boolean,
  },
  protectModels: {
    value: () => true,
    effect: "in place",
    requires: { retainModels: true },
    actual: ({ resources }) => resources.find(({ name }) => name === "ollama-models")?.protect,
    expected: Boolean,
  },
  models: {
    value: (models) => [...(models as Model[]), { ...(models as Model[])[0], name: "second:1b" }],
    effect: "replaces the gateway",
    changes: ["gateway-container envs.REQUIRED_MODELS"],
    actual: environment(gateway, "REQUIRED_MODELS"),
    expected: (models: Model[]) => models.map(({ name }) => name).join(","),
  },
  pullStallSeconds: {
    value: () => 50,
    effect: "in place",
    actual: commands(/-pull$/, "PULL_STALL_SECONDS"),
    expected: (seconds: number) => [String(seconds)],
  },
  ...gatewayProperties,
  ...edgeProperties,
  ...clusterProperties,
  drainTimeoutSeconds: {
    value: () => 200,
    effect: "in place",
    actual: commands(/^gateway-ready$/, "DRAIN_TIMEOUT_SECONDS"),
    expected: (seconds: number) => [String(seconds)],
  },
  readyTimeoutSeconds: {
    value: () => 110,
    effect: "in place",
    actual: commands(/-ready$/, "READY_TIMEOUT_SECONDS"),
    expected: (seconds: number) => [String(seconds)],
  },
};

interface Model {
  readonly name: string;
}
