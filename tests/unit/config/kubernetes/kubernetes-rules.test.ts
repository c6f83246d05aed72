import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../../components/config/config.ts";

const declared = parseYaml(readFileSync("Pulumi.yaml", "utf8")) as {
  config: Record<string, { default: unknown }>;
};

const set = (keys: Readonly<Record<string, unknown>>) => () => {
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
const outside = { ...names, ingressTlsSecret: "gateway-tls" };
const rocm = "ollama/ollama:0.17.4-rocm";

type Case = readonly [what: string, keys: Readonly<Record<string, unknown>>, message: RegExp];

function refuses(cases: readonly Case[]): void {
  it.each(cases)("refuses %s", (_what, keys, message) => {
    expect(set(keys)).toThrow(message);
  });
}

describe("GPUs in a cluster", () => {
  refuses([
    ["GPUs by number", { gpus: "0,1" }, /gpus is "0,1", but must be none or all .*gpusPerPod/],
    ["as many as a node has", { gpus: "auto", gpusPerPod: "1" }, /gpus is "auto", but must be none or all/],
    ["no number of them", { gpus: "all" }, /gpusPerPod is "0", but must be 1 or more while gpus is all/],
    ["a number of none", { gpusPerPod: "1" }, /gpusPerPod is "1", but must be 0 while gpus is none/],
    ["groups of none", { gpuGroups: [44] }, /gpuGroups is \[44\], but must be empty while gpus is none/],
    [
      "an image for NVIDIA's on AMD's",
      { gpus: "all", gpusPerPod: "1", gpuResource: "amd.com/gpu" },
      /ollamaImage is .*, but must be an image for AMD's GPUs/,
    ],
    [
      "an image for AMD's on NVIDIA's",
      { gpus: "all", gpusPerPod: "1", ollamaImage: rocm },
      /gpuResource is "nvidia.com\/gpu", but must be amd.com\/gpu/,
    ],
    [
      "devices that the plugin chooses",
      { gpus: "all", gpusPerPod: "1", ollamaEnvironment: { NVIDIA_VISIBLE_DEVICES: "0" } },
      /ollamaEnvironment.NVIDIA_VISIBLE_DEVICES is .*, but must be left out/,
    ],
    [
      "what Ollama has no use for",
      { gpuResource: "gpu.intel.com/i915" },
      /gpuResource is .*, but must be nvidia/,
    ],
  ]);

  it("takes a number of NVIDIA's, parts of them, or AMD's with its image", () => {
    expect(set({ gpus: "all", gpusPerPod: "2" })).not.toThrow();
    expect(set({ gpus: "all", gpusPerPod: "1", gpuResource: "nvidia.com/mig-1g.10gb" })).not.toThrow();
    expect(
      set({ gpus: "all", gpusPerPod: "1", gpuResource: "amd.com/gpu", ollamaImage: rocm }),
    ).not.toThrow();
  });
});

describe("access from outside a cluster", () => {
  refuses([
    [
      "two ways",
      { ...outside, ingressClass: "nginx", gatewayClass: "eg" },
      /gatewayClass is "eg", but must be empty while ingressClass is set/,
    ],
    [
      "a class without names",
      { ingressClass: "nginx", ingressTlsSecret: "gateway-tls" },
      /ingressHostnames is \[\], but must be the names that clients use/,
    ],
    [
      "keys in clear text",
      { ...names, ingressClass: "nginx" },
      /ingressTlsSecret is "", but must be the name of a Secret with the certificate/,
    ],
    [
      "a certificate of a cloud on a Gateway",
      {
        ...names,
        gatewayClass: "eg",
        ingressAnnotations: { "alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:x" },
      },
      /ingressTlsSecret is "", but must be the name/,
    ],
    ["names without a class", names, /ingressHostnames is .*, but must be empty while neither/],
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
      "an address in place of a name",
      { ...outside, ingressClass: "nginx", ingressHostnames: ["192.0.2.1"] },
      /ingressHostnames\[0\] is "192.0.2.1", but must be a host name/,
    ],
    [
      "sources that are neither a network nor a namespace",
      { gatewayAllowedSources: ["ingress-nginx"] },
      /gatewayAllowedSources\[0\] is "ingress-nginx", but must be a network/,
    ],
  ]);

  it("takes a certificate that the load balancer of AWS holds", () => {
    const ingressAnnotations = { "alb.ingress.kubernetes.io/certificate-arn": "arn:aws:acm:x" };
    expect(set({ ...names, ingressClass: "alb", ingressAnnotations })).not.toThrow();
  });
});

describe("the number of pods", () => {
  refuses([
    [
      "two that say it",
      { autoscaling: "keda", ollamaReplicas: "2" },
      /ollamaReplicas is "2", but must be 1 while autoscaling is on/,
    ],
    [
      "a minimum without a scaler",
      { ollamaMinReplicas: "0" },
      /ollamaMinReplicas is "0", but must be 1 while autoscaling is none/,
    ],
    [
      "a maximum without a scaler",
      { ollamaMaxReplicas: "9" },
      /ollamaMaxReplicas is "9", but must be 4, its default, while autoscaling is none/,
    ],
    [
      "nothing with Kubernetes' own scaler",
      { autoscaling: "hpa", ollamaMinReplicas: "0" },
      /ollamaMinReplicas is "0", but must be 1 or more while autoscaling is hpa/,
    ],
    [
      "more than the most",
      { autoscaling: "keda", ollamaMinReplicas: "5" },
      /ollamaMaxReplicas is "4", but must be ollamaMinReplicas or more/,
    ],
  ]);
});

describe("state that gateways share", () => {
  const shared = { state: "redis" };
  const elsewhere = { ...shared, stateAddress: "redis://valkey.example.org:6379" };

  refuses([
    [
      "an autoscaler of gateways that share nothing",
      { gatewayMaxReplicas: "4" },
      /gatewayMaxReplicas is "4", but must be 1 while state is memory: .* state redis/,
    ],
    [
      "fewer gateways at most than at least",
      { ...shared, gatewayReplicas: "3", gatewayMaxReplicas: "2" },
      /gatewayMaxReplicas is "2", but must be 1 for a fixed number of gateways, or else at least gatewayReplicas/,
    ],
    [
      "gateways that stand by, scaled",
      { gatewayReplicas: "2", gatewayMaxReplicas: "4" },
      /gatewayMaxReplicas is "4", but must be 1 while state is memory/,
    ],
    [
      "gateways that stand by and write one file",
      { gatewayReplicas: "2", gatewayUsageVolume: "usage" },
      /gatewayUsageVolume is "usage", but must be empty while there may be several gateways/,
    ],
    [
      "several gateways that write one file",
      { ...shared, gatewayReplicas: "2", gatewayUsageVolume: "usage" },
      /gatewayUsageVolume is "usage", but must be empty while there may be several gateways/,
    ],
    [
      "KEDA, which reads one of several gateways",
      { ...shared, gatewayMaxReplicas: "2", autoscaling: "keda" },
      /autoscaling is "keda", but must be none or hpa while several gateways may be active/,
    ],
    [
      "an address that nothing uses",
      { stateAddress: "redis://valkey.example.org:6379" },
      /stateAddress is .*, but must be empty while state is memory/,
    ],
    [
      "a password of the stack's own Valkey",
      { ...shared, statePasswordSecret: "valkey" },
      /statePasswordSecret is "valkey", but must be empty while stateAddress is empty/,
    ],
    [
      "an address of another kind",
      { ...shared, stateAddress: "http://valkey.example.org" },
      /stateAddress is .*, but must be the URL of a Valkey or Redis/,
    ],
    ["memory for an address", { ...shared, stateAddress: "memory" }, /stateAddress is "memory", but must be/],
    [
      "a password in the address, without showing it",
      { ...shared, stateAddress: "redis://:hunter2@valkey.example.org" },
      /stateAddress is wrong, but must be .*without a password/,
    ],
    [
      "a Valkey that is too small for the responses that are stored in it",
      { ...shared, stateMemoryMiB: "256", gatewayEnvironment: { RESPONSE_STORE_LIMIT_BYTES: "134217728" } },
      /stateMemoryMiB is "256", but must be more: .*twice RESPONSE_STORE_LIMIT_BYTES plus 64 MiB/,
    ],
    [
      "another place for the address",
      { ...shared, gatewayEnvironment: { SHARED_STATE: "redis://valkey:6379" } },
      /gatewayEnvironment\.SHARED_STATE is set, but must be left out while engine is kubernetes: state and stateAddress set it/,
    ],
    [
      "another place for the password",
      { ...shared, gatewayEnvironment: { SHARED_STATE_PASSWORD_FILE: "/password" } },
      /gatewayEnvironment\.SHARED_STATE_PASSWORD_FILE is set, but must be left out .*: statePasswordSecret sets it/,
    ],
  ]);

  it("takes gateways that stand by, whose active one KEDA reads", () => {
    expect(set({ gatewayReplicas: "3" })).not.toThrow();
    expect(set({ gatewayReplicas: "2", autoscaling: "keda" })).not.toThrow();
  });

  it("takes several gateways with shared state, of a fixed number or scaled, in a Valkey of its own or yours", () => {
    expect(set({ ...shared, gatewayReplicas: "3" })).not.toThrow();
    expect(
      set({ ...shared, gatewayReplicas: "2", gatewayMaxReplicas: "6", autoscaling: "hpa" }),
    ).not.toThrow();
    expect(set({ ...shared, gatewayReplicas: "2", gatewayMaxReplicas: "2" })).not.toThrow();
    expect(
      set({ ...elsewhere, statePasswordSecret: "valkey", gatewayReplicas: "2", stateMemoryMiB: "128" }),
    ).not.toThrow();
    expect(set({ ...shared, stateAddress: "rediss://valkey.example.org:6380/3" })).not.toThrow();
  });

  it("takes one gateway that shares its state, so that a new one knows what was used, and keeps usage in a file", () => {
    expect(set({ ...shared, gatewayUsageVolume: "usage" })).not.toThrow();
  });

  it("may be said to be the gateway's own", () => {
    expect(set({ gatewayEnvironment: { SHARED_STATE: "memory" } })).not.toThrow();
  });
});

describe("images and models", () => {
  refuses([
    [
      "an image that two keys name",
      { imageRegistry: "registry.example.org/you" },
      /imageRegistry is .*, but must be empty while gatewayImage names the image/,
    ],
    [
      "two places of models",
      { modelHostPath: "/srv/models", storageClass: "fast", retainModels: "true" },
      /modelHostPath is .*, but must be empty while storageClass/,
    ],
    [
      "a folder of the nodes that goes with the stack",
      { modelHostPath: "/srv/models" },
      /retainModels is "false", but must be true while modelHostPath is set/,
    ],
  ]);
});
