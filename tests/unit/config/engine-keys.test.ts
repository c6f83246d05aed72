import { readFileSync } from "node:fs";
import { parse as parseYaml } from "yaml";
import { describe, expect, it } from "vitest";
import { parseConfig } from "../../../components/config/config.ts";
import { clusterKeys, dockerKeys } from "../../../components/config/engine-keys.ts";

const declared = parseYaml(readFileSync("Pulumi.yaml", "utf8")) as {
  config: Record<string, { default: unknown }>;
};

/** Parses the config as the CLI passes it to the program: as text, with the defaults of Pulumi.yaml. */
function parse(set: Readonly<Record<string, unknown>>) {
  const defaults = Object.entries(declared.config).map(([key, { default: value }]) => [key, value]);
  const all = { ...Object.fromEntries(defaults), ...set } as Record<string, unknown>;
  const texts = Object.entries(all).map(([key, value]) => [
    `ollama-stack:${key}`,
    typeof value === "string" ? value : JSON.stringify(value),
  ]);
  return parseConfig("ollama-stack", Object.fromEntries(texts) as Record<string, string>);
}

function errorOf(set: Readonly<Record<string, unknown>>): string {
  try {
    parse(set);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("the config was accepted");
}

/** The keys that every stack on Kubernetes has to set. */
const inCluster = {
  engine: "kubernetes",
  gatewayImage: "registry.example.org/gateway:1",
  gatewayApiKeys: [`ada sha256=${"1".repeat(64)}`],
};

const values: Readonly<Record<string, unknown>> = {
  production: "true",
  dockerHost: "ssh://ops@example.org",
  dockerCertPath: "/certificates",
  networkName: "llm",
  imagePlatform: "linux/arm64",
  trustedCertificates: "/etc/ssl/proxy.pem",
  ollamaPort: "9000",
  ollamaBindAddress: "127.0.0.2",
  ollamaPids: "99",
  modelVolume: "shared",
  protectModels: "true",
  gatewayBindAddress: "0.0.0.0",
  gatewayPids: "99",
  edge: "http",
  monitoring: "prometheus",
  kubeconfig: "/root/.kube/config",
  kubeContext: "lab",
  namespace: "llm",
  storageClass: "fast",
  modelStorageGiB: "10",
  gatewayImage: "registry.example.org/gateway:1",
  nodeSelector: { gpu: "true" },
  tolerations: [{ key: "gpu", operator: "Exists", effect: "NoSchedule" }],
  imageRegistry: "registry.example.org/you",
  imagePullSecrets: ["registry"],
  modelHostPath: "/srv/models",
  gpuResource: "nvidia.com/mig-1g.10gb",
  gpusPerPod: "1",
  gpuGroups: [44],
  runtimeClass: "nvidia",
  ingressClass: "nginx",
  gatewayClass: "eg",
  ingressHostnames: ["llm.example.org"],
  ingressTlsSecret: "gateway-tls",
  ingressAnnotations: { "cert-manager.io/cluster-issuer": "letsencrypt" },
  gatewayAllowedSources: ["10.0.0.0/8", "namespace/ingress-nginx"],
  autoscaling: "keda",
  ollamaMinReplicas: "0",
  ollamaMaxReplicas: "9",
  podMonitor: "true",
  state: "redis",
  stateAddress: "redis://valkey.example.org:6379",
  statePasswordSecret: "valkey",
  stateImage: "valkey/valkey:9",
  stateMemoryMiB: "1024",
  gatewayMaxReplicas: "4",
};

const ingress = {
  ingressClass: "nginx",
  ingressHostnames: ["llm.example.org"],
  ingressTlsSecret: "gateway-tls",
};
/** Other keys without which a key is rejected. */
const requiredKeys: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  imageRegistry: { gatewayImage: "" },
  modelHostPath: { retainModels: "true" },
  gpusPerPod: { gpus: "all" },
  gpuGroups: { gpus: "all", gpusPerPod: "1" },
  ingressClass: ingress,
  gatewayClass: { ...ingress, ingressClass: "" },
  ingressHostnames: ingress,
  ingressTlsSecret: ingress,
  ingressAnnotations: ingress,
  ollamaMinReplicas: { autoscaling: "keda" },
  ollamaMaxReplicas: { autoscaling: "hpa" },
  stateAddress: { state: "redis" },
  statePasswordSecret: { state: "redis", stateAddress: "redis://valkey.example.org:6379" },
  gatewayMaxReplicas: { state: "redis" },
};

describe("keys for one engine only", () => {
  it("are unset by default", () => {
    expect(() => parse({})).not.toThrow();
    expect(() => parse(inCluster)).not.toThrow();
  });

  it.each(Object.keys(dockerKeys))("%s is rejected on Kubernetes with the reason", (key) => {
    expect(() => parse({ ...inCluster, [key]: values[key] })).toThrow(
      new RegExp(
        `${key} is .*, but must be left out while engine is kubernetes: .+; remove it with: pulumi config rm '${key}'`,
      ),
    );
  });

  it.each(Object.keys(clusterKeys))("%s is rejected on Docker", (key) => {
    expect(() => parse({ [key]: values[key] })).toThrow(
      new RegExp(`${key} is .*, but must be left out while engine is docker: .+; remove it with`),
    );
  });

  it.each(Object.keys(clusterKeys))("%s is accepted on Kubernetes", (key) => {
    expect(() => parse({ ...inCluster, ...requiredKeys[key], [key]: values[key] })).not.toThrow();
  });
});

describe("a stack on Kubernetes", () => {
  it("requires the gateway's image, because nodes do not build it", () => {
    expect(() => parse({ ...inCluster, gatewayImage: "" })).toThrow(
      /gatewayImage is "", but must be the gateway's image in a registry .*npm run image -- --push NAME/,
    );
  });

  it("requires an API key, because every pod of the cluster can reach the gateway", () => {
    expect(() => parse({ ...inCluster, gatewayApiKeys: [] })).toThrow(/gatewayApiKeys .*npm run new-key/);
  });

  it("requires a port number", () => {
    expect(() => parse({ ...inCluster, gatewayPort: "auto" })).toThrow(
      /gatewayPort is "auto", but must be a number/,
    );
  });

  it("rejects model files of this machine, which its pods cannot load", () => {
    const [path, registry] = ["./tiny.gguf", "registry.example.org/library/tiny:1b"];
    expect(() => parse({ ...inCluster, models: [{ name: "tiny:1b", source: path }] })).toThrow(
      /models is .*without local files/,
    );
    expect(() => parse({ ...inCluster, models: [{ name: "tiny:1b", source: registry }] })).not.toThrow();
  });

  it("rejects host-gateway, which pods do not have", () => {
    expect(() => parse({ ...inCluster, ollamaHosts: ["registry:host-gateway"] })).toThrow(
      /a pod has no host-gateway/,
    );
    expect(() => parse({ ...inCluster, ollamaHosts: ["registry:10.0.0.9"] })).not.toThrow();
  });

  it.each(["Registry.example.org:10.0.0.9", "registry..example.org:10.0.0.9"])(
    "rejects the hosts line %s, which the API server does not accept",
    (line) => {
      expect(() => parse({ ...inCluster, ollamaHosts: [line] })).toThrow(
        /ollamaHosts is .*, but must be a list of names of lower-case letters/,
      );
      expect(() => parse({ ollamaHosts: [line] })).not.toThrow();
    },
  );

  it("retains models only in volumes that outlive their pods", () => {
    expect(() => parse({ ...inCluster, retainModels: "true" })).toThrow(
      /retainModels is "true", but must be false/,
    );
    expect(() => parse({ ...inCluster, retainModels: "true", storageClass: "fast" })).not.toThrow();
  });

  it.each(["nodeSelector", "ingressAnnotations"])(
    "rejects a map inside %s, which a dot in --path makes",
    (key) => {
      // As after: pulumi config set --path 'KEY.example.org/name' x
      const nested = { example: { "org/name": "x" }, "example.org/list": ["x"], "example.org/none": null };
      const message = errorOf({ ...inCluster, [key]: nested });
      expect(message).toContain(
        `${key}.example is {"org/name":"x"}, but must be left out, because it is a map: --path needs a name with dots in brackets and quotes, such as '["example.org/name"]'; remove it with: pulumi config rm --path '${key}.example'`,
      );
      expect(message).toContain(`${key}["example.org/list"] is ["x"], but must be a Kubernetes`);
      expect(message).toContain(`${key}["example.org/none"] is null, but must be a Kubernetes`);
    },
  );

  it("converts numbers and booleans, which the CLI makes of texts, in maps of texts", () => {
    const nodeSelector = { "example.org/gpus": 2, gpu: true };
    expect(parse({ ...inCluster, nodeSelector })).toMatchObject({
      nodeSelector: { "example.org/gpus": "2", gpu: "true" },
    });
  });

  it("rejects labels and tolerations that Kubernetes does not accept", () => {
    expect(() => parse({ ...inCluster, nodeSelector: { "no label!": "1" } })).toThrow(
      /nodeSelector\["no label!"\] is "1", but must be a Kubernetes label and its value; set it with: pulumi config set --path 'nodeSelector\["no label!"\]' VALUE/,
    );
    expect(() => parse({ ...inCluster, tolerations: [{ effect: "Never" }] })).toThrow(
      /tolerations\[0\]\.effect/,
    );
    expect(() => parse({ ...inCluster, tolerations: [{ keys: "gpu" }] })).toThrow(/unknown field keys/);
  });

  it.each<[object, string]>([
    [{}, "operator is not set, but must be Exists without a key"],
    [{ operator: "Equal", value: "x" }, 'operator is "Equal", but must be Exists without a key'],
    [{ operator: "Exists", value: "x" }, 'value is "x", but must be left out with operator Exists'],
    [
      { key: "gpu", tolerationSeconds: 60 },
      "effect is not set, but must be NoExecute with tolerationSeconds",
    ],
    [
      { key: "gpu", effect: "NoSchedule", tolerationSeconds: 60 },
      'effect is "NoSchedule", but must be NoExecute with tolerationSeconds',
    ],
    [{ key: "no key!" }, `key is "no key!", but must be a taint's key`],
    [{ key: "gpu", value: { a: 1 } }, `value is {"a":1}, but must be a taint's value`],
    [{ key: "gpu", value: "no value!" }, `value is "no value!", but must be a taint's value`],
    [
      { key: "gpu", effect: "NoExecute", tolerationSeconds: null },
      "tolerationSeconds is null, but must be a whole number of seconds",
    ],
  ])("rejects the toleration %j, which the API server does not accept", (toleration, message) => {
    expect(errorOf({ ...inCluster, tolerations: [toleration] })).toContain(`tolerations[0].${message}`);
  });

  it("accepts tolerations with texts that the CLI converts", () => {
    const tolerations = [
      { operator: "Exists" },
      { key: "example.org/gpu", value: true, effect: "NoExecute", tolerationSeconds: "60" },
    ];
    expect(parse({ ...inCluster, tolerations }).tolerations).toEqual([
      { operator: "Exists" },
      { key: "example.org/gpu", value: "true", effect: "NoExecute", tolerationSeconds: 60 },
    ]);
  });
});
