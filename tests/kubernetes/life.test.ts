import { afterAll, beforeAll, expect, it } from "vitest";
import { ClusterStack, makeKey, model } from "../../test-support/cluster/cluster-stack.ts";

// The life of a stack in a real cluster of two nodes, deployed with the rights of docs/kubernetes.md and no others.

const other = "smollm2-again:135m";
const clients = 20;
const tokens = 16;

const bob = makeKey("bob");
let stack: ClusterStack | undefined;
const running = (): ClusterStack => {
  if (stack === undefined) throw new Error("the stack does not run");
  return stack;
};

beforeAll(async () => {
  stack = await ClusterStack.start("k8s-life");
  stack.useRightsOfDocument();
});
afterAll(async () => {
  await stack?.dispose();
});

const nodesOf = (app: string) =>
  running()
    .pods(app)
    .map(({ spec }) => spec.nodeName)
    .toSorted();

/** Updates the stack while clients stream, and returns how many responses they got; none may have failed. */
async function updateUnderLoad(change: Readonly<Record<string, unknown>>): Promise<void> {
  const { project } = running();
  const load = await running().stream(clients, tokens);
  project.configure(change);
  const completed = load.completed;
  await running().update();
  // What comes after it, too.
  const after = load.completed;
  await expect.poll(() => load.completed).toBeGreaterThan(after + 5);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(after).toBeGreaterThan(completed);
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

it("grows to a pod on each node, which has the model too, and the gateway uses it without a new pod", async () => {
  const before = running().uids("gateway");
  running().project.configure({ ollamaReplicas: 2 });
  await running().update();
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

it("pulls a model that is added in every pod, and deletes one that is removed", async () => {
  const { project } = running();
  const models = () =>
    running()
      .get("/v1/models")
      .then((response) => response.text());
  const before = project.configured("models") as readonly object[];
  project.configure({ models: [...before, { ...before[0], name: other }] });
  await running().update();
  await expect.poll(models).toContain(other);
  project.configure({ models: before });
  await running().update();
  await expect.poll(models).not.toContain(other);
});

it("replaces the gateway while clients stream, and no request fails", async () => {
  const before = running().uids("gateway");
  await updateUnderLoad({ gatewayLogLevel: "debug" });
  expect(running().uids("gateway")).not.toEqual(before);
});

it("replaces every pod of Ollama while clients stream, and no request fails", async () => {
  const before = running().uids("ollama");
  await updateUnderLoad({ ollamaKeepAlive: "10m" });
  const after = running().uids("ollama");
  expect(after).toHaveLength(2);
  expect(after.filter((uid) => before.includes(uid))).toEqual([]);
});

it("takes back what somebody scaled by hand", async () => {
  const { cluster, project, namespace } = running();
  cluster.kubectl(["scale", "statefulset/ollama", "--replicas=1", `--namespace=${namespace}`]);
  await project.pulumi("up", "--yes", "--skip-preview", "--refresh");
  expect(running().pods("ollama")).toHaveLength(2);
});

it("shrinks again while clients stream, and no request fails", async () => {
  await updateUnderLoad({ ollamaReplicas: 1 });
  await expect.poll(() => running().pods("ollama").length).toBe(1);
});

it("is destroyed with everything that it had", async () => {
  const { cluster, project, namespace } = running();
  await project.pulumi("destroy", "--yes", "--skip-preview");
  expect(cluster.kubectl(["get", "namespaces", "--output=name"])).not.toContain(namespace);
});
