import { afterAll, expect, it } from "vitest";
import { makeKey, model } from "../../test-support/cluster/stack/cluster-stack.ts";
import { shareStack } from "../../test-support/cluster/stack/share-stack.ts";
import { nextGatewayImage, nextOllamaImage } from "../../test-support/cluster/shared-cluster.ts";
import type { StreamingClients } from "../../test-support/cluster/stack/streaming-clients.ts";

// The life cycle of a stack in a real cluster of two nodes, deployed with only the rights of docs/kubernetes.md. From the
// change of its keys on, clients stream continuously, and none of their requests may fail.

const other = "smollm2-again:135m";
const clients = 20;
const tokens = 16;

const bob = makeKey("bob");
const running = shareStack("k8s-life", (stack) => {
  stack.useRightsOfDocument();
});
afterAll(async () => {
  await load?.abort();
});

const nodesOf = (app: string) =>
  running()
    .pods(app)
    .map(({ spec }) => spec.nodeName)
    .toSorted();

/** A `models` config in which all names refer to the same model in the registry. */
function models(...names: readonly string[]): readonly object[] {
  const [first] = running().project.configured("models") as readonly object[];
  return names.map((name) => ({ ...first, name }));
}

/** The gateway's model list. */
const modelList = async () => (await running().get("/v1/models")).text();

let load: StreamingClients | undefined;

/** Updates the stack while clients stream. Expects no failed request until `furtherRequests` more have completed. */
async function updateUnderLoad(
  change: Readonly<Record<string, unknown>>,
  furtherRequests = 5,
): Promise<void> {
  load ??= await running().stream(clients, tokens);
  running().project.configure(change);
  const before = load.completed;
  await running().update();
  expect(load.completed).toBeGreaterThan(before);
  await load.completeMore(furtherRequests);
  expect(load.failures).toEqual([]);
}

it("comes up with the model pulled in its pod and responds to a chat", async () => {
  await running().update();
  const { project, namespace } = running();
  const outputs = JSON.parse(await project.pulumi("stack", "output", "--json")) as Record<string, unknown>;
  expect(outputs).toMatchObject({
    engine: "kubernetes",
    namespace,
    gatewayUrl: `http://gateway.${namespace}.svc:8000`,
    installedModels: [{ model, digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string }],
  });
  await expect.poll(async () => (await running().get("/ready")).status).toBe(200);
  expect(await running().chat()).not.toBe("");
});

it("rejects clients without a key and mounts no service account token in its pods", async () => {
  const { cluster, namespace, gatewayUrl } = running();
  expect((await fetch(`${gatewayUrl}/v1/models`)).status).toBe(401);
  const token = "/var/run/secrets/kubernetes.io";
  for (const { metadata } of running().pods("gateway")) {
    const options = ["exec", metadata.name, `--namespace=${namespace}`, "--", "node", "--eval"];
    const script = `console.log(require("node:fs").existsSync(${JSON.stringify(token)}))`;
    expect(cluster.kubectl([...options, script]).trim()).toBe("false");
  }
});

it("previews no changes when nothing has changed", async () => {
  await running().project.pulumi("preview", "--refresh", "--expect-no-changes");
});

it("scales to a pod on each node despite manual scaling, and the gateway uses it without a restart", async () => {
  const { project } = running();
  const before = running().uids("gateway");
  running().kubectl("scale", "statefulset/ollama", "--replicas=3");
  project.configure({ ollamaReplicas: 2 });
  await project.pulumi("up", "--yes", "--skip-preview", "--refresh");
  expect(nodesOf("ollama")).toEqual(["n1", "n2"]);
  await expect.poll(() => running().servers()).toHaveLength(2);
  expect(running().uids("gateway")).toEqual(before);
});

it("applies changed keys before the update ends while clients stream, without new pods", async () => {
  const before = [...running().uids("gateway"), ...running().uids("ollama")];
  await updateUnderLoad({ gatewayApiKeys: [running().ada.line, bob.line] });
  expect((await running().get("/v1/models", bob)).status).toBe(200);
  expect([...running().uids("gateway"), ...running().uids("ollama")]).toEqual(before);
});

it("pulls an added model in every pod and replaces the gateway while clients stream, without failed requests", async () => {
  const [gateways, servers] = [running().uids("gateway"), running().uids("ollama")];
  await updateUnderLoad({ models: models(model, other), gatewayLogLevel: "debug" });
  expect(running().uids("gateway")).not.toEqual(gateways);
  expect(running().uids("ollama")).toEqual(servers);
  await expect.poll(modelList).toContain(other);
});

it("rolls out new images of the gateway and Ollama while clients stream, without failed requests", async () => {
  const [gateways, before] = [running().uids("gateway"), running().uids("ollama")];
  await updateUnderLoad({ gatewayImage: nextGatewayImage, ollamaImage: nextOllamaImage });
  expect(running().uids("gateway")).not.toEqual(gateways);
  const after = running().uids("ollama");
  expect(after).toHaveLength(2);
  expect(after.filter((uid) => before.includes(uid))).toEqual([]);
});

it("scales down and deletes a removed model while clients stream, without failed requests", async () => {
  const [kept] = running().uids("ollama");
  // Each client queues one request at most, so all earlier requests have completed by then.
  await updateUnderLoad({ ollamaReplicas: 1, models: models(model) }, clients);
  await load?.abort();
  await expect.poll(() => running().uids("ollama")).toEqual([kept]);
  await expect.poll(modelList).not.toContain(other);
});

it("removes its namespace on destroy", async () => {
  const { cluster, project, namespace } = running();
  await project.pulumi("destroy", "--yes", "--skip-preview");
  expect(cluster.kubectl(["get", "namespaces", "--output=name"])).not.toContain(namespace);
});
