import { expect, it } from "vitest";
import { renderStack } from "../../../test-support/components/render-cluster-stack.ts";

interface Probe {
  readonly httpGet: { readonly path: string };
}
interface Container {
  readonly name: string;
  readonly image: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly resources: object;
  readonly startupProbe: Probe;
  readonly readinessProbe: Probe;
  readonly livenessProbe: Probe;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
}
interface Pods {
  readonly replicas?: number;
  readonly strategy?: { readonly type: string };
  readonly template: {
    readonly spec: {
      readonly runtimeClassName?: string;
      readonly tolerations?: readonly object[];
      readonly imagePullSecrets?: readonly object[];
      readonly securityContext: object;
      readonly initContainers?: readonly Container[];
      readonly containers: readonly Container[];
      readonly volumes: readonly { readonly name: string }[];
    };
  };
}

/** The declared pods of Ollama and the gateway. */
async function render(set: Readonly<Record<string, unknown>> = {}) {
  const { find, all } = await renderStack(set);
  const specOf = (name: string) => find(name)["spec"] as Pods;
  const pod = (name: string) => {
    const { spec } = specOf(name).template;
    const [container] = spec.containers;
    if (container === undefined) throw new Error(`${name} has no container`);
    const environment = Object.fromEntries(container.env.map((each) => [each.name, each.value]));
    return { spec, container, environment };
  };
  return { find, specOf, all, ollama: pod("ollama-pods"), gateway: pod("gateway-pods") };
}

it("hides GPUs from a pod that requests none, although its image requests all", async () => {
  const { ollama } = await render();
  expect(ollama.environment["NVIDIA_VISIBLE_DEVICES"]).toBe("void");
  expect(ollama.container.resources).toEqual({
    requests: { memory: "4096Mi", cpu: "100m" },
    limits: { memory: "4096Mi" },
  });
  expect(ollama.spec.runtimeClassName).toBeUndefined();
});

it("requests no more CPU than the limit, which the API server would reject", async () => {
  const { ollama, gateway } = await render({ ollamaCpus: "0.05", gatewayCpus: "0.5" });
  expect(ollama.container.resources).toMatchObject({ requests: { cpu: "0.05" }, limits: { cpu: "0.05" } });
  expect(gateway.container.resources).toMatchObject({ requests: { cpu: "100m" }, limits: { cpu: "0.5" } });
});

it("requests a number of NVIDIA GPUs, and tolerates their nodes' taint", async () => {
  const { ollama, gateway } = await render({ gpus: "all", gpusPerPod: "2", runtimeClass: "nvidia" });
  expect(ollama.container.resources).toMatchObject({ limits: { "nvidia.com/gpu": "2" } });
  // The device plugin sets it, but a pod's own value would take precedence.
  expect(ollama.environment).not.toHaveProperty("NVIDIA_VISIBLE_DEVICES");
  expect(ollama.environment["NVIDIA_DRIVER_CAPABILITIES"]).toBe("compute,utility");
  expect(ollama.spec.runtimeClassName).toBe("nvidia");
  expect(ollama.spec.tolerations).toEqual([
    { key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" },
  ]);
  expect(ollama.spec.initContainers?.[0]?.resources).not.toHaveProperty(["limits", "nvidia.com/gpu"]);
  expect(JSON.stringify(gateway.spec.tolerations)).not.toContain("nvidia");
});

it("requests AMD GPUs, with the groups of their devices", async () => {
  const { ollama } = await render({
    gpus: "all",
    gpusPerPod: "1",
    gpuResource: "amd.com/gpu",
    gpuGroups: [44, 992],
    ollamaImage: "ollama/ollama:0.17.4-rocm",
  });
  expect(ollama.container.resources).toMatchObject({ limits: { "amd.com/gpu": "1" } });
  expect(ollama.spec.securityContext).toMatchObject({ runAsNonRoot: true, supplementalGroups: [44, 992] });
  expect(ollama.environment).not.toHaveProperty("NVIDIA_DRIVER_CAPABILITIES");
  expect(ollama.spec.tolerations).toEqual([{ key: "amd.com/gpu", operator: "Exists", effect: "NoSchedule" }]);
});

it("stores models in a folder of the node, in a namespace that allows such folders", async () => {
  const { ollama, find } = await render({ modelHostPath: "/srv/models", retainModels: "true" });
  expect(ollama.spec.volumes).toContainEqual({
    name: "models",
    hostPath: { path: "/srv/models", type: "Directory" },
  });
  expect(find("namespace")["metadata"]).toMatchObject({
    labels: { "pod-security.kubernetes.io/enforce": "privileged" },
  });
});

it("pulls all images with the configured Secrets", async () => {
  const { ollama, gateway } = await render({ imagePullSecrets: ["one", "two"] });
  for (const { spec } of [ollama, gateway])
    expect(spec.imagePullSecrets).toEqual([{ name: "one" }, { name: "two" }]);
});

it("uses its own image from a registry, for both gateway and keeper", async () => {
  const { ollama, gateway } = await render({
    gatewayImage: "",
    imageRegistry: "registry.example.org:5000/you",
  });
  expect(gateway.container.image).toMatch(
    /^registry\.example\.org:5000\/you\/ollama-stack-gateway:[0-9a-f]{12}$/,
  );
  expect(ollama.spec.initContainers?.[0]?.image).toBe(gateway.container.image);
});

it("stores the usage of keys on a claim that two gateways never write at once", async () => {
  const { gateway, specOf } = await render({ gatewayUsageVolume: "usage" });
  expect(gateway.spec.volumes).toContainEqual({
    name: "usage",
    persistentVolumeClaim: { claimName: "usage" },
  });
  expect(gateway.container.volumeMounts).toContainEqual({ name: "usage", mountPath: "/usage" });
  expect(gateway.environment["USAGE_FILE"]).toBe("/usage/gateway.json");
  expect(specOf("gateway-pods").strategy).toEqual({ type: "Recreate" });
});

it("allows external host names besides its own if there are any", async () => {
  expect((await render()).gateway.environment).not.toHaveProperty("ALLOWED_HOSTS");
  const { gateway } = await render({
    ingressClass: "nginx",
    ingressHostnames: ["llm.example.org"],
    ingressTlsSecret: "gateway-tls",
    gatewayAllowedHosts: [".lab.example.org"],
  });
  expect(gateway.environment["ALLOWED_HOSTS"]?.split(",")).toEqual([
    "gateway",
    "gateway.ollama-stack-test-1",
    "gateway.ollama-stack-test-1.svc",
    "gateway.ollama-stack-test-1.svc.cluster.local",
    "llm.example.org",
    ".lab.example.org",
  ]);
});

it("trusts no proxies unless the config names them", async () => {
  expect((await render()).gateway.environment).not.toHaveProperty("TRUSTED_PROXIES");
  const { gateway } = await render({ gatewayEnvironment: { TRUSTED_PROXIES: "10.0.0.0/8" } });
  expect(gateway.environment["TRUSTED_PROXIES"]).toBe("10.0.0.0/8");
});

it("sets the number of pods only without an autoscaler", async () => {
  expect((await render({ ollamaReplicas: "3" })).specOf("ollama-pods").replicas).toBe(3);
  expect((await render({ autoscaling: "hpa" })).specOf("ollama-pods")).not.toHaveProperty("replicas");
});

it("keeps the gateway ready, and does not restart it, while Ollama is unavailable or pulls models", async () => {
  const { startupProbe, readinessProbe, livenessProbe } = (await render()).gateway.container;
  expect([startupProbe, readinessProbe].map(({ httpGet }) => httpGet.path)).toEqual([
    "/accepting",
    "/accepting",
  ]);
  expect(livenessProbe.httpGet.path).toBe("/health");
});

it("lets requests wait for the first Ollama pod if there may be none", async () => {
  const { gateway } = await render({
    autoscaling: "keda",
    ollamaMinReplicas: "0",
    readyTimeoutSeconds: "300",
  });
  expect(gateway.environment["QUEUE_TIMEOUT_MS"]).toBe("360000");
  const own = await render({
    autoscaling: "keda",
    ollamaMinReplicas: "0",
    gatewayEnvironment: { QUEUE_TIMEOUT_MS: "900000" },
  });
  expect(own.gateway.environment["QUEUE_TIMEOUT_MS"]).toBe("900000");
  const { gateway: usual } = await render({ autoscaling: "keda" });
  expect(usual.environment).not.toHaveProperty("QUEUE_TIMEOUT_MS");
});

it("moves the gateway off a lost node after a minute if it has no volume", async () => {
  const lost = (state: string) => ({
    key: `node.kubernetes.io/${state}`,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds: 60,
  });
  expect((await render()).gateway.spec.tolerations).toEqual([lost("not-ready"), lost("unreachable")]);
  expect((await render({ gatewayUsageVolume: "usage" })).gateway.spec.tolerations).toBeUndefined();
});

it("waits again for models and keys if an update only restores what somebody deleted or changed", async () => {
  const { find } = await render({ gpus: "all", gpusPerPod: "1" });
  const pods = {
    STATEFUL_SET_UID: "ollama-pods-uid",
    MODELS_RESOURCE_VERSION: "ollama-models-version",
  };
  expect(find("models")["environment"]).toMatchObject(pods);
  expect(find("models-in-gpu-memory")["environment"]).toMatchObject(pods);
  expect(find("gateway-keys-in-force")["environment"]).toMatchObject({
    KEYS_RESOURCE_VERSION: "gateway-keys-version",
  });
});
