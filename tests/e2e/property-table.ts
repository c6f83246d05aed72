import { expect } from "vitest";
import { deployedKeys } from "../../scripts/stack/deployed-keys.ts";
import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { clusterProperties } from "./property-table-cluster.ts";
import { edgeProperties } from "./property-table-edge.ts";
import {
  type Property,
  environment,
  host,
  published,
  image,
  imageOf,
  layersOf,
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

// Every config key with another value than the stack has, what its description promises of a change, and where the
// engine or the state shows what came of it.

const ollama = `ollama-stack-${stack}-ollama`;
const gateway = `ollama-stack-${stack}-gateway`;
const edge = `ollama-stack-${stack}-edge`;

export const engineSocket = process.env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock";
const enginePlatform = () => docker("version", "--format", "{{.Server.Os}}/{{.Server.Arch}}");

export const properties: Readonly<Record<string, Property>> = {
  production: { value: () => true, promised: "nothing" },
  dockerHost: { value: () => engineSocket, promised: "in place" },
  dockerCertPath: {
    value: () => "/nowhere",
    promised: "in place",
    refused: /dockerCertPath is "\/nowhere", but must be empty unless dockerHost is tcp:/,
  },
  networkName: {
    value: () => `other_${stack}`,
    promised: "replaces the network",
    look: () =>
      [ollama, gateway, edge].flatMap((name) =>
        Object.keys(inspect(name, ".NetworkSettings.Networks") as object),
      ),
    shown: (name: string) => Array<string>(3).fill(name === "" ? `ollama_network_${stack}` : name),
  },
  imagePlatform: {
    value: enginePlatform,
    promised: "replaces all images",
    look: () =>
      [ollama, gateway].map((name) =>
        docker("image", "inspect", "--format", "{{.Os}}/{{.Architecture}}", image(name)),
      ),
    shown: (platform: string) => Array<string>(2).fill(platform === "" ? enginePlatform() : platform),
  },
  trustedCertificates: {
    value: () => "/etc/ssl/certs/ca-certificates.crt",
    promised: "replaces all containers",
    look: () => [ollama, gateway, edge].map((name) => environment(name, "TRUSTED_CERTIFICATES_VERSION")()),
    shown: (path: string) => Array<string | undefined>(3).fill(readTrustedCertificates(path)?.version),
  },
  ollamaReplicas: {
    value: () => 2,
    promised: "replaces the gateway",
    look: containersOf(/^ollama(-\d+)?-container$/),
    shown: Number,
  },
  ollamaImage: {
    value: otherImage,
    promised: "replaces Ollama's image",
    look: () => image(ollama),
    shown: imageOf,
  },
  ollamaPort: {
    value: () => 18118,
    promised: "replaces Ollama",
    look: published(ollama, "HostPort"),
    shown: (port: number) => [String(port)],
  },
  ollamaBindAddress: {
    value: () => "127.0.0.2",
    promised: "replaces Ollama",
    look: published(ollama, "HostIp"),
    shown: list,
  },
  ollamaHosts: {
    value: (lines) => [...((lines as string[] | undefined) ?? []), "printer:198.18.0.9"],
    promised: "replaces Ollama",
    look: () => ((host(ollama, "ExtraHosts")()[0] ?? []) as string[]).toSorted(),
    shown: (lines: string[]) => lines.toSorted(),
  },
  ollamaEnvironment: {
    value: () => ({ OLLAMA_DEBUG: 1 }),
    promised: "replaces Ollama",
    look: environment(ollama, "OLLAMA_DEBUG"),
    shown: ({ OLLAMA_DEBUG: level }: { OLLAMA_DEBUG?: number }) => level?.toString(),
  },
  ollamaMemoryMiB: {
    value: () => 3072,
    promised: "in place",
    look: host(ollama, "Memory", "MemorySwap"),
    shown: memory,
  },
  ollamaCpus: {
    value: () => "1.5",
    promised: "replaces Ollama",
    look: host(ollama, "CpuQuota", "CpuPeriod"),
    shown: quota,
  },
  ollamaPids: {
    value: () => 900,
    promised: "in place",
    look: host(ollama, "PidsLimit"),
    shown: list,
  },
  ollamaParallel: {
    value: () => 2,
    promised: "replaces both",
    look: () => [ollama, gateway].map((name) => environment(name, "OLLAMA_NUM_PARALLEL")()),
    shown: (parallel: number) => Array<string>(2).fill(String(parallel)),
  },
  ollamaContextLength: {
    value: () => 2048,
    promised: "replaces Ollama",
    look: environment(ollama, "OLLAMA_CONTEXT_LENGTH"),
    shown: text,
  },
  ollamaKeepAlive: {
    value: () => "90s",
    promised: "replaces both",
    look: environment(ollama, "OLLAMA_KEEP_ALIVE"),
    shown: text,
  },
  gpus: {
    value: () => "all",
    promised: "replaces Ollama",
    refused: /gpus is all, but the engine offers no GPU/,
  },
  modelVolume: {
    value: () => "nowhere",
    promised: "replaces Ollama",
    refused: /The volume nowhere \(modelVolume\) does not exist/,
  },
  retainModels: {
    value: () => true,
    promised: "in place",
    look: ({ resources }) =>
      resources.filter(({ name }) => /^ollama-models$|-pull$/.test(name)).every(({ retain }) => retain),
    shown: Boolean,
  },
  protectModels: {
    value: () => true,
    promised: "in place",
    together: { retainModels: true },
    look: ({ resources }) => resources.find(({ name }) => name === "ollama-models")?.protect,
    shown: Boolean,
  },
  models: {
    value: (models) => [...(models as Model[]), { ...(models as Model[])[0], name: "second:1b" }],
    promised: "replaces the gateway",
    look: environment(gateway, "REQUIRED_MODELS"),
    shown: (models: Model[]) => models.map(({ name }) => name).join(","),
  },
  pullStallSeconds: {
    value: () => 50,
    promised: "in place",
    look: commands(/-pull$/, "PULL_STALL_SECONDS"),
    shown: (seconds: number) => [String(seconds)],
  },
  gatewayReplicas: {
    value: () => 2,
    promised: "in place",
    look: containersOf(/^gateway(-\d+)?-container$/),
    shown: Number,
  },
  gatewayPort: {
    value: () => 18110,
    promised: "replaces the edge",
    look: published(edge, "HostPort"),
    shown: (port: number) => [String(port)],
  },
  gatewayBindAddress: {
    value: () => "127.0.0.2",
    promised: "replaces the edge",
    look: published(edge, "HostIp"),
    shown: list,
  },
  gatewayApiKeys: {
    value: () => [`ada sha256=${"0".repeat(64)}`, `eve sha256=${"2".repeat(64)}`],
    promised: "in place",
    look: ({ resources }) => deployedKeys(resources)?.inputs["stdin"],
    shown: (lines: string[]) => `${lines.join("\n")}\n`,
  },
  gatewayUsageVolume: {
    value: () => "nowhere",
    promised: "replaces the gateway",
    refused: /The volume nowhere \(gatewayUsageVolume\) does not exist/,
  },
  gatewayAllowedHosts: {
    value: () => ["llm.example.test"],
    promised: "replaces the gateway",
    look: () => environment(gateway, "ALLOWED_HOSTS")()?.includes("llm.example.test") ?? false,
    shown: (names: string[]) => names.includes("llm.example.test"),
  },
  gatewayBaseImage: {
    value: otherImage,
    promised: "rebuilds the gateway",
    look: () => layersOf(image(gateway)),
    // What it is built on is the beginning of it.
    shown: (base: string) => expect.arrayContaining(layersOf(base)) as unknown,
  },
  gatewayMemoryMiB: {
    value: () => 600,
    promised: "in place",
    look: host(gateway, "Memory", "MemorySwap"),
    shown: memory,
  },
  gatewayCpus: {
    value: () => "",
    promised: "replaces the gateway",
    look: host(gateway, "CpuQuota", "CpuPeriod"),
    shown: quota,
  },
  gatewayPids: {
    value: () => 200,
    promised: "in place",
    look: host(gateway, "PidsLimit"),
    shown: list,
  },
  gatewayLogLevel: {
    value: () => "warn",
    promised: "replaces the gateway",
    look: environment(gateway, "LOG_LEVEL"),
    shown: text,
  },
  console: {
    value: () => false,
    promised: "replaces the gateway",
    look: environment(gateway, "CONSOLE_FOLDER"),
    shown: (isServed: boolean) => (isServed ? "/app/console" : ""),
  },
  gatewayEnvironment: {
    value: () => ({ QUEUE_LIMIT: 8 }),
    promised: "replaces the gateway",
    look: environment(gateway, "QUEUE_LIMIT"),
    shown: ({ QUEUE_LIMIT: limit }: { QUEUE_LIMIT?: number }) => limit?.toString(),
  },
  ...edgeProperties,
  ...clusterProperties,
  drainTimeoutSeconds: {
    value: () => 200,
    promised: "in place",
    look: commands(/^gateway-ready$/, "DRAIN_TIMEOUT_SECONDS"),
    shown: (seconds: number) => [String(seconds)],
  },
  readyTimeoutSeconds: {
    value: () => 110,
    promised: "in place",
    look: commands(/-ready$/, "READY_TIMEOUT_SECONDS"),
    shown: (seconds: number) => [String(seconds)],
  },
};

interface Model {
  readonly name: string;
}
