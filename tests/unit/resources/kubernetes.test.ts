import { beforeAll, describe, expect, it } from "vitest";
import { providerVersion } from "../../../components/resources/kubernetes/objects.ts";
import { renderStack } from "../../../test-support/components/render-cluster-stack.ts";
import { clusterVersions } from "../../../toolchain/cluster-binaries.ts";

interface PodSpec {
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: object;
  readonly nodeSelector?: object;
  readonly tolerations?: readonly object[];
  readonly hostAliases?: readonly object[];
  readonly terminationGracePeriodSeconds: number;
  readonly volumes: readonly { readonly name: string }[];
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
}
interface Container {
  readonly image: string;
  readonly securityContext: object;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly readinessProbe: { readonly httpGet: { readonly path: string } };
}
interface Spec {
  readonly replicas: number;
  readonly strategy?: object;
  readonly volumeClaimTemplates?: readonly object[];
  readonly persistentVolumeClaimRetentionPolicy?: object;
  readonly template: { readonly spec: PodSpec };
}

/** Declares a stack, with types for the fields that tests use. */
async function declare(set: Readonly<Record<string, unknown>> = {}) {
  const rendered = await renderStack(set);
  return { ...rendered, spec: (name: string) => rendered.find(name)["spec"] as Spec };
}

let stack: Awaited<ReturnType<typeof declare>>;
beforeAll(async () => {
  stack = await declare();
});

describe("a stack on Kubernetes", () => {
  it("declares no Docker resources", () => {
    expect(stack.all.filter(({ type }) => type.startsWith("docker:"))).toEqual([]);
  });

  it("uses the provider version that toolchain/ builds", () => {
    expect(providerVersion).toBe(clusterVersions.provider);
  });

  it("has a namespace that is named after it and enforces restricted pods", () => {
    expect(stack.find("namespace")["metadata"]).toMatchObject({
      name: "ollama-stack-test-1",
      labels: { "pod-security.kubernetes.io/enforce": "restricted" },
    });
  });

  it("reverts manual changes, and updates lists and keys in place", () => {
    const objects = stack.all.filter(({ type }) => type.startsWith("kubernetes:"));
    expect(objects.length).toBeGreaterThan(8);
    for (const { inputs } of objects)
      expect(inputs["metadata"]).toMatchObject({ annotations: { "pulumi.com/patchForce": "true" } });
    expect(stack.find("cluster")).toMatchObject({
      enableServerSideApply: "true",
      enableConfigMapMutable: "true",
      enableSecretMutable: "true",
    });
  });

  it("gives pods neither privileges nor a cluster token", () => {
    for (const name of ["ollama-pods", "gateway-pods"]) {
      const {
        automountServiceAccountToken,
        securityContext,
        containers,
        initContainers = [],
      } = stack.spec(name).template.spec;
      expect(automountServiceAccountToken).toBe(false);
      expect(securityContext).toMatchObject({
        runAsNonRoot: true,
        seccompProfile: { type: "RuntimeDefault" },
      });
      for (const container of [...containers, ...initContainers])
        expect(container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
    }
  });

  it("has a gateway that discovers every Ollama pod, and accepts requests without any", () => {
    const [gateway] = stack.spec("gateway-pods").template.spec.containers;
    expect(gateway?.env).toContainEqual({ name: "LLM_BACKENDS", value: "dns+ollama:11434" });
    expect(gateway?.env).toContainEqual({ name: "API_KEYS_FILE", value: "/keys/api-keys" });
    expect(gateway?.readinessProbe.httpGet.path).toBe("/accepting");
    expect(stack.spec("gateway-pods").strategy).toMatchObject({
      rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
    });
  });

  it("gives Ollama time to finish its requests", async () => {
    const { spec } = await declare({ drainTimeoutSeconds: "70" });
    expect(spec("ollama-pods").template.spec.terminationGracePeriodSeconds).toBeGreaterThan(70);
  });

  it("stores models on the node's disk unless a storage class is set", async () => {
    expect(stack.spec("ollama-pods").volumeClaimTemplates).toBeUndefined();
    expect(stack.spec("ollama-pods").template.spec.volumes).toContainEqual({
      name: "models",
      emptyDir: { sizeLimit: "50Gi" },
    });
    const { spec } = await declare({
      storageClass: "fast",
      modelStorageGiB: "9",
      retainModels: "true",
    });
    expect(spec("ollama-pods").volumeClaimTemplates).toMatchObject([
      { spec: { storageClassName: "fast", resources: { requests: { storage: "9Gi" } } } },
    ]);
    expect(spec("ollama-pods").persistentVolumeClaimRetentionPolicy).toMatchObject({ whenDeleted: "Retain" });
  });

  it("passes on Ollama's node selector, tolerations and host aliases", async () => {
    const { spec } = await declare({
      nodeSelector: { gpu: "true" },
      tolerations: [{ key: "gpu", operator: "Exists", effect: "NoSchedule" }],
      ollamaHosts: ["registry:10.0.0.9", "blobs:10.0.0.9"],
    });
    expect(spec("ollama-pods").template.spec).toMatchObject({
      nodeSelector: { gpu: "true" },
      tolerations: [{ key: "gpu", operator: "Exists", effect: "NoSchedule" }],
      hostAliases: [{ ip: "10.0.0.9", hostnames: ["registry", "blobs"] }],
    });
  });

  it("checks that models are in GPU memory only if pods have GPUs", async () => {
    const checks = ({ all }: Awaited<ReturnType<typeof declare>>) =>
      all.filter(({ inputs }) => inputs["create"] === "node components/commands/check-pod-gpu-memory.ts");
    const withGpus = await declare({ gpus: "all", gpusPerPod: "1", ollamaKeepAlive: "0" });
    expect(checks(withGpus)).toHaveLength(1);
    const pods = JSON.stringify(withGpus.spec("ollama-pods"));
    expect(pods).toContain(
      '{"name":"CHECK_GPU_MEMORY","value":"true"},{"name":"LOAD_KEEP_ALIVE","value":"1m"}',
    );
    expect(checks(stack)).toEqual([]);
    expect(JSON.stringify(stack.spec("ollama-pods"))).not.toContain("CHECK_GPU_MEMORY");
  });

  it("changes the list of models without changing the pods", async () => {
    const first = stack.spec("ollama-pods");
    const list = stack.find("ollama-models")["data"];
    const { spec, find } = await declare({ models: ["llama3.2:1b", "tiny:1b"] });
    expect(spec("ollama-pods")).toEqual(first);
    expect(find("ollama-models")["data"]).not.toEqual(list);
  });
});
