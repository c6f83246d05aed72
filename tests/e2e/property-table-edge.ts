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

/** Of the edge, which the stack has with plain HTTP. */
export const edgeProperties: Readonly<Record<string, Property>> = {
  edge: {
    value: () => "internal",
    promised: "replaces the edge",
    look: published(edge, "Port"),
    shown: (mode: string) => [mode === "http" ? "80/tcp" : "443/tcp"],
  },
  edgeHostnames: {
    value: () => ["llm.example.test", "localhost"],
    promised: "replaces the edge alone where there are keys",
    together: { edge: "internal" },
    look: () =>
      Object.values(
        inspect(edge, ".NetworkSettings.Networks") as Record<string, { Aliases: string[] }>,
      ).flatMap(({ Aliases }) => Aliases.filter((alias) => alias.includes("."))),
    shown: (names: string[]) => names.filter((name) => name.includes(".")),
  },
  edgeCertificates: {
    value: () => "/nowhere",
    promised: "replaces the edge",
    refused: /edgeCertificates is "\/nowhere", but must be empty unless edge is certificate or acme/,
  },
  edgeAcmeDirectory: {
    value: () => "https://acme.example.test/directory",
    promised: "in place",
    refused: /edgeAcmeDirectory is "https:.*", but must be empty unless edge is acme/,
  },
  edgeAcmeEmail: {
    value: () => "ops@example.test",
    promised: "in place",
    refused: /edgeAcmeEmail is "ops@example.test", but must be empty unless edge is acme/,
  },
  edgeImage: {
    value: otherImage,
    promised: "replaces the edge's image",
    look: () => image(edge),
    shown: imageOf,
  },
  edgeMemoryMiB: {
    value: () => 200,
    promised: "in place",
    look: host(edge, "Memory", "MemorySwap"),
    shown: memory,
  },
  edgeCpus: {
    value: () => "1.5",
    promised: "replaces the edge",
    look: host(edge, "CpuQuota", "CpuPeriod"),
    shown: quota,
  },
  edgePids: {
    value: () => 150,
    promised: "in place",
    look: host(edge, "PidsLimit"),
    shown: list,
  },
};
