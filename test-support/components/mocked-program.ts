import * as pulumi from "@pulumi/pulumi";
import type { Connection } from "../../engine/connection.ts";
import type { Gateway, GatewayArgs } from "../../components/resources/gateway.ts";
import type { OllamaServer } from "../../components/resources/ollama-server.ts";

interface Made {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

const record = { name: "tiny:1b", digest: "abc", size: 42, source: "s", sourceDigest: "abc", changes: "" };

// Pulumi's own mocks. They only record the requests to the provider.
export const made: Made[] = [];
await pulumi.runtime.setMocks(
  {
    newResource: ({ type, name, inputs, id }) => {
      made.push({ type, name, inputs: inputs as Record<string, unknown> });
      const state = { ...(inputs as object) };
      if (type === "docker:index/remoteImage:RemoteImage")
        Object.assign(state, { imageId: `sha256:${name}` });
      if (type === "command:local:Command") {
        Object.assign(state, { stdout: JSON.stringify(record) });
      }
      return { id: id === undefined || id === "" ? `${name}-id` : id, state };
    },
    call: ({ inputs }) => inputs as Record<string, unknown>,
  },
  "ollama-stack",
  "test",
);
export const { ServiceNetwork } = await import("../../components/resources/network.ts");
const ollama = await import("../../components/resources/ollama-server.ts");
export const { OllamaModel } = await import("../../components/resources/ollama-model.ts");
export const { connectionTo, connectionToOllama } = await import("../../engine/connection.ts");
const gateways = await import("../../components/resources/gateway.ts");

export const access: Connection = { environment: {} };
const drain = { gateways: ["x-gateway"], edge: "x-edge", timeoutSeconds: 300 };
export const limits = { memoryMiB: 512, cpus: "0.5", pids: 99 };
export const read = <T>(output: pulumi.Output<T>) => new Promise<T>((resolve) => output.apply(resolve));
export const find = (name: string): Record<string, unknown> => {
  const resource = made.find((entry) => entry.name === name);
  if (resource === undefined)
    throw new Error(`no resource ${name} among ${made.map((entry) => entry.name).join(", ")}`);
  return resource.inputs;
};

export function server(
  name: string,
  change: Partial<ConstructorParameters<typeof OllamaServer>[1]> = {},
): OllamaServer {
  return new ollama.OllamaServer(name, {
    image: "ollama/ollama:0.17.4",
    platform: "",
    replicas: 1,
    drain,
    containerName: `x-${name}`,
    network: { name: "net", networkName: pulumi.output("net") },
    bindAddress: "127.0.0.1",
    port: 8008,
    hosts: [],
    parallel: 2,
    contextLength: 8192,
    keepAlive: "5m",
    modelVolume: "",
    retainModels: false,
    protectModels: false,
    readyTimeoutSeconds: 120,
    limits,
    access: { ...access, others: { environment: { TUNNEL_NETWORK: "net" } } },
    ...change,
  });
}

export function gateway(name: string, change: Partial<GatewayArgs> = {}): Gateway {
  return new gateways.Gateway(name, {
    projectRoot: process.cwd(),
    baseImage: "node:24",
    platform: "",
    containerName: `x-${name}`,
    network: { name: "net", networkName: pulumi.output("net") },
    replicas: 1,
    servers: [{ host: "ollama", port: 11434 }],
    parallel: 2,
    keepAlive: "5m",
    published: { bindAddress: "127.0.0.1", port: 8000 },
    models: ["tiny:1b", "big:70b"],
    keepLoaded: ["big:70b"],
    allowedHosts: undefined,
    usageVolume: "",
    console: true,
    objectiveFirstTokenSeconds: 5,
    watchedCertificate: "",
    logLevel: "info",
    environment: {},
    readyTimeoutSeconds: 120,
    limits,
    access,
    ...change,
  });
}

/** The arguments of an edge, except the name of its container. */
export const edgeArgs = {
  mode: "http",
  hostnames: [],
  gateways: [{ host: "gateway", port: 8000 }],
  acmeDirectory: "",
  acmeEmail: "",
  acmeRoot: false,
  trustedProxies: [],
  bodyTimeoutSeconds: 30,
  image: pulumi.output("sha256:caddy"),
  network: { name: "net", networkName: pulumi.output("net") },
  bindAddress: "127.0.0.1",
  port: 8000,
  certificates: "",
  certificatesVersion: "",
  readyTimeoutSeconds: 120,
  limits,
  access,
} as const;

/** The arguments of Prometheus, except the name of its container. */
export const monitoringArgs = {
  image: "prom/prometheus:v3",
  platform: "",
  toolImage: "sha256:node",
  network: { name: "net", networkName: pulumi.output("net") },
  port: 9090,
  retentionMiB: 256,
  metricsKey: "the key",
  gateways: ["gateway:8000", "gateway-2:8000"],
  alertmanagers: [],
  objectiveFirstTokenSeconds: 2.5,
  objectiveAvailability: 99.5,
  alertAfterSeconds: 60,
  scrapeSeconds: 5,
  ollamaMemoryBytes: 2 ** 30,
  hasGpus: false,
  runbooks: "https://example.org/runbooks/",
  readyTimeoutSeconds: 120,
  limits,
  access,
};
