import { expect } from "vitest";
import { deployedKeys } from "../../scripts/stack/deployment.ts";
import {
  type Property,
  containersOf,
  environment,
  host,
  image,
  layersOf,
  list,
  memory,
  otherImage,
  published,
  quota,
  stack,
  text,
} from "./property.ts";

const gateway = `ollama-stack-${stack}-gateway`;
const edge = `ollama-stack-${stack}-edge`;

/** The keys of the gateway. */
export const gatewayProperties: Readonly<Record<string, Property>> = {
  gatewayReplicas: {
    value: () => 2,
    effect: "in place",
    actual: containersOf(/^gateway(-\d+)?-container$/),
    expected: Number,
  },
  gatewayPort: {
    value: () => 18110,
    effect: "replaces the edge",
    changes: ["edge-container ports.external"],
    actual: published(edge, "HostPort"),
    expected: (port: number) => [String(port)],
  },
  gatewayBindAddress: {
    value: () => "127.0.0.2",
    effect: "replaces the edge",
    changes: ["edge-container ports.ip"],
    actual: published(edge, "HostIp"),
    expected: list,
  },
  gatewayApiKeys: {
    value: () => [`ada sha256=${"0".repeat(64)}`, `eve sha256=${"2".repeat(64)}`],
    effect: "in place",
    actual: ({ resources }) => deployedKeys(resources)?.inputs["stdin"],
    expected: (lines: string[]) => `${lines.join("\n")}\n`,
  },
  gatewayUsageVolume: {
    value: () => "nowhere",
    effect: "replaces the gateway",
    testedIn: "tests/unit/planning/required-volumes.test.ts",
  },
  gatewayAllowedHosts: {
    value: () => ["llm.example.test"],
    effect: "replaces the gateway",
    changes: ["gateway-container envs.ALLOWED_HOSTS"],
    actual: () => environment(gateway, "ALLOWED_HOSTS")()?.includes("llm.example.test") ?? false,
    expected: (names: string[]) => names.includes("llm.example.test"),
  },
  gatewayBaseImage: {
    value: otherImage,
    effect: "rebuilds the gateway",
    changes: [
      "gateway-base-image name",
      "gateway-image build.buildArgs.BASE_IMAGE",
      "gateway-image name",
      "gateway-image triggers",
      "gateway-container image",
    ],
    actual: () => layersOf(image(gateway)),
    // The base image's layers come first.
    expected: (base: string) => expect.arrayContaining(layersOf(base)) as unknown,
  },
  gatewayMemoryMiB: {
    value: () => 600,
    effect: "in place",
    actual: host(gateway, "Memory", "MemorySwap"),
    expected: memory,
  },
  gatewayCpus: {
    value: () => "",
    effect: "replaces the gateway",
    changes: ["gateway-container cpuPeriod", "gateway-container cpuQuota"],
    actual: host(gateway, "CpuQuota", "CpuPeriod"),
    expected: quota,
  },
  gatewayPids: {
    value: () => 200,
    effect: "in place",
    actual: host(gateway, "PidsLimit"),
    expected: list,
  },
  gatewayLogLevel: {
    value: () => "warn",
    effect: "replaces the gateway",
    changes: ["gateway-container envs.LOG_LEVEL"],
    actual: environment(gateway, "LOG_LEVEL"),
    expected: text,
  },
  console: {
    value: () => false,
    effect: "replaces the gateway",
    changes: ["gateway-container envs.CONSOLE_FOLDER"],
    actual: environment(gateway, "CONSOLE_FOLDER"),
    expected: (isServed: boolean) => (isServed ? "/app/console" : ""),
  },
  gatewayEnvironment: {
    value: () => ({ QUEUE_LIMIT: 8 }),
    effect: "replaces the gateway",
    changes: ["gateway-container envs.QUEUE_LIMIT"],
    actual: environment(gateway, "QUEUE_LIMIT"),
    expected: ({ QUEUE_LIMIT: limit }: { QUEUE_LIMIT?: number }) => limit?.toString(),
  },
};
