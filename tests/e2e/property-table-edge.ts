import { inspect } from "../../test-support/stack/by-hand.ts";
import {
  type Property,
  host,
  published,
  image,
  imageOf,
  memory,
  quota,
  list,
  otherImage,
  stack,
} from "./property.ts";

const edge = `ollama-stack-${stack}-edge`;

/** The keys of the edge; the stack has one with plain HTTP. */
export const edgeProperties: Readonly<Record<string, Property>> = {
  edge: {
    value: () => "internal",
    effect: "replaces the edge",
    changes: ["edge-container ports.internal", "edge-container envs.XDG_CONFIG_HOME"],
    actual: published(edge, "Port"),
    expected: (mode: string) => [mode === "http" ? "80/tcp" : "443/tcp"],
  },
  edgeHostnames: {
    value: () => ["llm.example.test", "localhost"],
    effect: "replaces the edge alone where there are keys",
    changes: ["edge-container networksAdvanced"],
    requires: { edge: "internal" },
    actual: () =>
      Object.values(
        inspect(edge, ".NetworkSettings.Networks") as Record<string, { Aliases: string[] }>,
      ).flatMap(({ Aliases }) => Aliases.filter((alias) => alias.includes("."))),
    expected: (names: string[]) => names.filter((name) => name.includes(".")),
  },
  edgeCertificates: {
    value: () => "/nowhere",
    effect: "replaces the edge",
    error: /edgeCertificates is "\/nowhere", but must be empty unless edge is certificate or acme/,
  },
  edgeAcmeDirectory: {
    value: () => "https://acme.example.test/directory",
    effect: "in place",
    error: /edgeAcmeDirectory is "https:.*", but must be empty unless edge is acme/,
  },
  edgeAcmeEmail: {
    value: () => "ops@example.test",
    effect: "in place",
    error: /edgeAcmeEmail is "ops@example.test", but must be empty unless edge is acme/,
  },
  edgeImage: {
    value: otherImage,
    effect: "replaces the edge's image",
    changes: ["edge-image name", "edge-container image"],
    actual: () => image(edge),
    expected: imageOf,
  },
  edgeMemoryMiB: {
    value: () => 200,
    effect: "in place",
    actual: host(edge, "Memory", "MemorySwap"),
    expected: memory,
  },
  edgeCpus: {
    value: () => "1.5",
    effect: "replaces the edge",
    changes: ["edge-container cpuPeriod", "edge-container cpuQuota"],
    actual: host(edge, "CpuQuota", "CpuPeriod"),
    expected: quota,
  },
  edgePids: {
    value: () => 150,
    effect: "in place",
    actual: host(edge, "PidsLimit"),
    expected: list,
  },
};
