import { afterAll, expect, it } from "vitest";
import { makeKey, model } from "../../test-support/cluster/stack/cluster-stack.ts";
import { shareStack } from "../../test-support/cluster/stack/share-stack.ts";
import { nextGatewayImage, nextOllamaImage } from "../../test-support/cluster/shared-cluster.ts";
import type { StreamingClients } from "../../test-support/cluster/stack/streaming-clients.ts";

// The life of a stack in a real cluster of two nodes, deployed with the rights of docs/kubernetes.md and no others. From
// the change of its keys on, clients stream without a pause, and none of their requests fails.

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

/** The config of models, all of which are one in their registry. */
function models(...names: readonly string[]): readonly object[] {
  const [first] = running().project.configured("models") as readonly object[];
  return names.map((name) => ({ ...first, name }));
}

/** What the gateway lists. */
const listed = async () => (await running().get("/v1/models")).text();

let load: StreamingClients | undefined;

/** Updates the stack while clients stream. None of their requests may have failed until then, nor some more after it. */
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

it("comes up, with the model pulled in its pod, and responds to a chat", async () => {
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

it("lets nobody in without a key, and gives its pods no token of the cluster", async () => {
  const { cluster, namespace, gatewayUrl } = running();
  expect((await fetch(`${gatewayUrl}/v1/models`)).status).toBe(401);
  const token = "/var/run/secrets/kubernetes.io";
  for (const { metadata } of running().pods("gateway")) {
    const options = ["exec", metadata.name, `--namespace=${namespace}`, "--", "node", "--eval"];
    const script = `console.log(require("node:fs").existsSync(${JSON.stringify(token)}))`;
    expect(cluster.kubectl([...options, script]).trim()).toBe("false");
  }
});

it("has nothing to change when nothing has changed", async () => {
  await running().project.pulumi("preview", "--refresh", "--expect-no-changes");
});

it("grows to a pod on each node, which has the model too, whatever somebody scaled by hand, and the gateway uses it without a new pod", async () => {
  const { project } = running();
  const before = running().uids("gateway");
  running().kubectl("scale", "statefulset/ollama", "--replicas=3");
  project.configure({ ollamaReplicas: 2 });
  await project.pulumi("up", "--yes", "--skip-preview", "--refresh");
  expect(nodesOf("ollama")).toEqual(["n1", "n2"]);
  await expect.poll(() => running().servers()).toHaveLength(2);
  expect(running().uids("gateway")).toEqual(before);
});

it("takes changed keys while clients stream, without a new pod, and has them when the update ends", async () => {
  const before = [...running().uids("gateway"), ...running().uids("ollama")];
  await updateUnderLoad({ gatewayApiKeys: [running().ada.line, bob.line] });
  expect((await running().get("/v1/models", bob)).status).toBe(200);
  expect([...running().uids("gateway"), ...running().uids("ollama")]).toEqual(before);
});

it("pulls a model that is added in every pod and replaces the gateway while clients stream, and no request fails", async () => {
  const [gateways, servers] = [running().uids("gateway"), running().uids("ollama")];
  await updateUnderLoad({ models: models(model, other), gatewayLogLevel: "debug" });
  expect(running().uids("gateway")).not.toEqual(gateways);
  expect(running().uids("ollama")).toEqual(servers);
  await expect.poll(listed).toContain(other);
});

it("rolls the images of the gateway and of Ollama while clients stream, and no request fails", async () => {
  const [gateways, before] = [running().uids("gateway"), running().uids("ollama")];
  await updateUnderLoad({ gatewayImage: nextGatewayImage, ollamaImage: nextOllamaImage });
  expect(running().uids("gateway")).not.toEqual(gateways);
  const after = running().uids("ollama");
  expect(after).toHaveLength(2);
  expect(after.filter((uid) => before.includes(uid))).toEqual([]);
});

it("shrinks again and deletes a model that is removed while clients stream, and no request fails", async () => {
  const [kept] = running().uids("ollama");
  // Each client has one request in the queue at most: those of before are through then.
  await updateUnderLoad({ ollamaReplicas: 1, models: models(model) }, clients);
  await load?.abort();
  await expect.poll(() => running().uids("ollama")).toEqual([kept]);
  await expect.poll(listed).not.toContain(other);
});

it("is destroyed with everything that it had", async () => {
  const { cluster, project, namespace } = running();
  await project.pulumi("destroy", "--yes", "--skip-preview");
  expect(cluster.kubectl(["get", "namespaces", "--output=name"])).not.toContain(namespace);
});
