import { createHash, randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Kubectl } from "../../cluster/kubectl.ts";
import { withForward } from "../../cluster/port-forward.ts";
import { Pods } from "../../components/commands/model-keeper/pods.ts";
import { isFinished } from "../../components/commands/model-keeper/rollout.ts";
import type { Cluster } from "../../test-support/cluster/cluster.ts";
import { clusterWithImages, gatewayImage, ollamaImage } from "../../test-support/cluster/shared-cluster.ts";
import { renderStack } from "../../test-support/components/render-cluster-stack.ts";

// A stack's objects, applied without Pulumi's provider, become a working service on two nodes.

const namespace = "service";
const model = "smollm2:135m";
const key = `sk-${randomBytes(24).toString("hex")}`;

let cluster: Cluster | undefined;
let kubectl: Kubectl;

interface KubernetesObject {
  readonly kind: string;
}

beforeAll(async () => {
  cluster = await clusterWithImages();
  kubectl = new Kubectl({ kubeconfig: cluster.kubeconfig, context: "", namespace });
});
afterAll(() => {
  cluster?.kubectl(["delete", "namespace", namespace, "--wait=false", "--ignore-not-found"]);
});

const chat = (url: string, authorization: string) =>
  fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ model, max_tokens: 8, messages: [{ role: "user", content: "Say hello." }] }),
  });

it("pulls the models in a pod on each node, and the gateway uses both", async () => {
  const { all, find } = await renderStack({
    namespace,
    gatewayImage,
    gatewayApiKeys: [`ada sha256=${createHash("sha256").update(key).digest("hex")} admin`],
    ollamaImage,
    ollamaReplicas: "2",
    ollamaMemoryMiB: "1024",
    ollamaHosts: ["registry", "blobs"].map((name) => `${name}:172.17.0.1`),
    models: [{ name: model, source: `registry:5000/library/${model}`, insecure: true }],
  });
  const objects = all
    .filter(({ type }) => type.startsWith("kubernetes:"))
    .map(({ inputs }) => inputs as unknown as KubernetesObject);
  const apply = (items: readonly KubernetesObject[]) =>
    kubectl.run(["apply", "--server-side", "--validate=strict", "--filename=-"], {
      input: JSON.stringify({ apiVersion: "v1", kind: "List", items }),
    });
  await apply(objects.filter(({ kind }) => kind === "Namespace"));
  await apply(objects.filter(({ kind }) => kind !== "Namespace"));

  const { MODELS_VERSION: version = "" } = find("models")["environment"] as Readonly<Record<string, string>>;
  const pods = new Pods(kubectl.address);
  await expect.poll(async () => isFinished(await pods.rollout(), version), { timeout: 240_000 }).toBe(true);
  await kubectl.run(["rollout", "status", "deployment/gateway", "--timeout=60s"], { timeoutMs: 70_000 });
  await withForward(kubectl, "service/gateway", 8000, async (url) => {
    const authorization = `Bearer ${key}`;
    const metrics = async () => (await fetch(`${url}/metrics`, { headers: { authorization } })).text();
    await expect.poll(async () => (await metrics()).match(/^gateway_backend_up\{.*\} 1$/gm)).toHaveLength(2);
  });
});

it("responds only to clients with a key", async () => {
  await withForward(kubectl, "service/gateway", 8000, async (url) => {
    expect((await chat(url, "")).status).toBe(401);
    const response = await chat(url, `Bearer ${key}`);
    const body = (await response.json()) as {
      readonly choices?: readonly { readonly message: { readonly content: string } }[];
    };
    expect(response.status, JSON.stringify(body)).toBe(200);
    expect(body.choices?.[0]?.message.content).not.toBe("");
  });
});
