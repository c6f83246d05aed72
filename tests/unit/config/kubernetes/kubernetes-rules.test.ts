import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../components/config/config.ts";

const declared = parseYaml(readFileSync("Pulumi.yaml", "utf8")) as {
  config: Record<string, { default: unknown }>;
};

const parserFor = (keys: Readonly<Record<string, unknown>>) => () => {
  const defaults = Object.entries(declared.config).map(([key, { default: value }]) => [key, value]);
  const all = {
    ...Object.fromEntries(defaults),
    engine: "kubernetes",
    gatewayImage: "registry.example.org/gateway:1",
    gatewayApiKeys: [`ada sha256=${"1".repeat(64)}`],
    ...keys,
  } as Record<string, unknown>;
  const texts = Object.entries(all).map(([key, value]) => [
    `ollama-stack:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return parseConfig("ollama-stack", Object.fromEntries(texts) as Record<string, string>);
};

const names = { ingressHostnames: ["llm.example.org"] };
const ingress = { ...names, ingressTlsSecret: "gateway-tls" };
const rocm = "ollama/ollama:0.17.4-rocm";

type Case = readonly [what: string, keys: Readonly<Record<string, unknown>>, message: RegExp];

function itRejects(cases: readonly Case[]): void {
  it.each(cases)("rejects %s", (_what, keys, message) => {
    expect(parserFor(keys)).toThrow(message);
  });
}

describe("GPUs in a cluster", () => {
  itRejects([
    ["GPUs by number", { gpus: "0,1" }, /gpus is "0,1", but must be none or all .*gpusPerPod/],
    ["all GPUs of a node", { gpus: "auto", gpusPerPod: "1" }, /gpus is "auto", but must be none or all/],
    [
      "GPUs without a number per pod",
      { gpus: "all" },
      /gpusPerPod is "0", but must be 1 or more while gpus is all/,
    ],
    [
      "a number of GPUs while gpus is none",
      { gpusPerPod: "1" },
      /gpusPerPod is "1", but must be 0 while gpus is none/,
    ],
    [
      "GPU groups while gpus is none",
      { gpuGroups: [44] },
      /gpuGroups is \[44\], but must be empty while gpus is none/,
    ],
    [
      "an image for NVIDIA GPUs on AMD GPUs",
      { gpus: "all", gpusPerPod: "1", gpuResource: "amd.com/gpu" },
      /ollamaImage is .*, but must be an image for AMD's GPUs/,
    ],
    [
      "an image for AMD GPUs on NVIDIA GPUs",
      { gpus: "all", gpusPerPod: "1", ollamaImage: rocm },
      /gpuResource is "nvidia.com\/gpu", but must be amd.com\/gpu/,
    ],
    [
      "a choice of devices, which the device plugin makes",
      { gpus: "all", gpusPerPod: "1", ollamaEnvironment: { NVIDIA_VISIBLE_DEVICES: "0" } },
      /ollamaEnvironment.NVIDIA_VISIBLE_DEVICES is .*, but must be left out/,
    ],
    [
      "a resource that Ollama cannot use",
      { gpuResource: "gpu.intel.com/i915" },
      /gpuResource is .*, but must be nvidia/,
    ],
  ]);

  it("accepts NVIDIA GPUs, parts of them, or AMD GPUs with their image", () => {
    expect(parserFor({ gpus: "all", gpusPerPod: "2" })).not.toThrow();
    expect(parserFor({ gpus: "all", gpusPerPod: "1", gpuResource: "nvidia.com/mig-1g.10gb" })).not.toThrow();
    expect(
      parserFor({ gpus: "all", gpusPerPod: "1", gpuResource: "amd.com/gpu", ollamaImage: rocm }),
    ).not.toThrow();
  });
});

describe("access from outside a cluster", () => {
  itRejects([
    [
      "an Ingress and a Gateway at once",
      { ...ingress, ingressClass: "nginx", gatewayClass: "eg" },
      /gatewayClass is "eg", but must be empty while ingressClass is set/,
    ],
    [
      "a class without host names",
      { ingressClass: "nginx", ingressTlsSecret: "gateway-tls" },
      /ingressHostnames is \[\], but must be the names that clients use/,
    ],
    [
      "API keys in plain text",
      { ...names, ingressClass: "nginx" },
      /ingressTlsSecret is "", but must be the name of a Secret with the certificate/,
    ],
    [
      "a cloud certificate on a Gateway",
      {
        ...names,
        gatewayClass: "eg",
        ingressAnnotations: { "alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:x" },
      },
      /ingressTlsSecret is "", but must be the name/,
    ],
    ["host names without a class", names, /ingressHostnames is .*, but must be empty while neither/],
    [
      "a certificate without a class",
      { ingressTlsSecret: "gateway-tls" },
      /ingressTlsSecret is .*, but must be empty while neither/,
    ],
    [
      "annotations without a class",
      { ingressAnnotations: { "example.org/a": "b" } },
      /ingressAnnotations is .*, but must be empty while neither/,
    ],
    [
      "an address in place of a host name",
      { ...ingress, ingressClass: "nginx", ingressHostnames: ["192.0.2.1"] },
      /ingressHostnames\[0\] is "192.0.2.1", but must be a host name/,
    ],
    [
      "sources that are neither a network nor a namespace",
      { gatewayAllowedSources: ["ingress-nginx"] },
      /gatewayAllowedSources\[0\] is "ingress-nginx", but must be a network/,
    ],
  ]);

  it("accepts a certificate that the AWS load balancer holds", () => {
    const ingressAnnotations = { "alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:x" };
    expect(parserFor({ ...names, ingressClass: "alb", ingressAnnotations })).not.toThrow();
  });
});

describe("the number of pods", () => {
  itRejects([
    [
      "a fixed number with autoscaling",
      { autoscaling: "keda", ollamaReplicas: "2" },
      /ollamaReplicas is "2", but must be 1 while autoscaling is on/,
    ],
    [
      "a minimum without autoscaling",
      { ollamaMinReplicas: "0" },
      /ollamaMinReplicas is "0", but must be 1 while autoscaling is none/,
    ],
    [
      "a maximum without autoscaling",
      { ollamaMaxReplicas: "9" },
      /ollamaMaxReplicas is "9", but must be 4, its default, while autoscaling is none/,
    ],
    [
      "a minimum of zero with Kubernetes' own autoscaler",
      { autoscaling: "hpa", ollamaMinReplicas: "0" },
      /ollamaMinReplicas is "0", but must be 1 or more while autoscaling is hpa/,
    ],
    [
      "a minimum above the maximum",
      { autoscaling: "keda", ollamaMinReplicas: "5" },
      /ollamaMaxReplicas is "4", but must be ollamaMinReplicas or more/,
    ],
  ]);
});

describe("the shared state of gateways", () => {
  const shared = { state: "redis" };
  const external = { ...shared, stateAddress: "redis://valkey.example.org:6379" };

  itRejects([
    [
      "an autoscaler of gateways without shared state",
      { gatewayMaxReplicas: "4" },
      /gatewayMaxReplicas is "4", but must be 1 while state is memory: .* state redis/,
    ],
    [
      "a maximum of gateways below the minimum",
      { ...shared, gatewayReplicas: "3", gatewayMaxReplicas: "2" },
      /gatewayMaxReplicas is "2", but must be 1 for a fixed number of gateways, or else at least gatewayReplicas/,
    ],
    [
      "autoscaled standby gateways",
      { gatewayReplicas: "2", gatewayMaxReplicas: "4" },
      /gatewayMaxReplicas is "4", but must be 1 while state is memory/,
    ],
    [
      "standby gateways that write the same file",
      { gatewayReplicas: "2", gatewayUsageVolume: "usage" },
      /gatewayUsageVolume is "usage", but must be empty while there may be several gateways/,
    ],
    [
      "several gateways that write the same file",
      { ...shared, gatewayReplicas: "2", gatewayUsageVolume: "usage" },
      /gatewayUsageVolume is "usage", but must be empty while there may be several gateways/,
    ],
    [
      "KEDA, which reads only one of several gateways",
      { ...shared, gatewayMaxReplicas: "2", autoscaling: "keda" },
      /autoscaling is "keda", but must be none or hpa while several gateways may be active/,
    ],
    [
      "an address that is not used",
      { stateAddress: "redis://valkey.example.org:6379" },
      /stateAddress is .*, but must be empty while state is memory/,
    ],
    [
      "a password for the stack's own Valkey",
      { ...shared, statePasswordSecret: "valkey" },
      /statePasswordSecret is "valkey", but must be empty while stateAddress is empty/,
    ],
    [
      "an address with another scheme",
      { ...shared, stateAddress: "http://valkey.example.org" },
      /stateAddress is .*, but must be the URL of a Valkey or Redis/,
    ],
    ["memory as an address", { ...shared, stateAddress: "memory" }, /stateAddress is "memory", but must be/],
    [
      "a password in the address, without showing it",
      { ...shared, stateAddress: "redis://:hunter2@valkey.example.org" },
      /stateAddress is wrong, but must be .*without a password/,
    ],
    [
      "a Valkey that is too small for the stored responses",
      { ...shared, stateMemoryMiB: "256", gatewayEnvironment: { RESPONSE_STORE_LIMIT_BYTES: "134217728" } },
      /stateMemoryMiB is "256", but must be more: .*twice RESPONSE_STORE_LIMIT_BYTES plus 64 MiB/,
    ],
    [
      "the address in gatewayEnvironment",
      { ...shared, gatewayEnvironment: { SHARED_STATE: "redis://valkey:6379" } },
      /gatewayEnvironment\.SHARED_STATE is set, but must be left out while engine is kubernetes: state and stateAddress set it/,
    ],
    [
      "the password file in gatewayEnvironment",
      { ...shared, gatewayEnvironment: { SHARED_STATE_PASSWORD_FILE: "/password" } },
      /gatewayEnvironment\.SHARED_STATE_PASSWORD_FILE is set, but must be left out .*: statePasswordSecret sets it/,
    ],
  ]);

  itRejects([
    [
      "a name that no claim can have",
      { gatewayUsageVolume: "Gateway_Usage" },
      /gatewayUsageVolume is "Gateway_Usage", but must be the name of a PersistentVolumeClaim/,
    ],
  ]);

  it("accepts standby gateways, also with KEDA, which reads the active one", () => {
    expect(parserFor({ gatewayReplicas: "3" })).not.toThrow();
    expect(parserFor({ gatewayReplicas: "2", autoscaling: "keda" })).not.toThrow();
  });

  it("accepts several gateways, fixed or autoscaled, with their state in the stack's or an external Valkey", () => {
    expect(parserFor({ ...shared, gatewayReplicas: "3" })).not.toThrow();
    expect(
      parserFor({ ...shared, gatewayReplicas: "2", gatewayMaxReplicas: "6", autoscaling: "hpa" }),
    ).not.toThrow();
    expect(parserFor({ ...shared, gatewayReplicas: "2", gatewayMaxReplicas: "2" })).not.toThrow();
    expect(
      parserFor({ ...external, statePasswordSecret: "valkey", gatewayReplicas: "2", stateMemoryMiB: "128" }),
    ).not.toThrow();
    expect(parserFor({ ...shared, stateAddress: "rediss://valkey.example.org:6380/3" })).not.toThrow();
  });

  it("accepts one gateway with shared state and a usage file", () => {
    expect(parserFor({ ...shared, gatewayUsageVolume: "usage" })).not.toThrow();
  });

  it("accepts an explicit memory state in gatewayEnvironment", () => {
    expect(parserFor({ gatewayEnvironment: { SHARED_STATE: "memory" } })).not.toThrow();
  });
});

describe("images and models", () => {
  itRejects([
    [
      "two keys for the gateway's image",
      { imageRegistry: "registry.example.org/you" },
      /imageRegistry is .*, but must be empty while gatewayImage names the image/,
    ],
    [
      "two places for models",
      { modelHostPath: "/srv/models", storageClass: "fast", retainModels: "true" },
      /modelHostPath is .*, but must be empty while storageClass/,
    ],
    [
      "a folder of the nodes without retainModels",
      { modelHostPath: "/srv/models" },
      /retainModels is "false", but must be true while modelHostPath is set/,
    ],
  ]);
});
