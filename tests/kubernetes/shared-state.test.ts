import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { makeKey } from "../../test-support/cluster/stack/cluster-stack.ts";
import { podProcess } from "../../test-support/cluster/stack/pod-process.ts";
import { shareStack } from "../../test-support/cluster/stack/share-stack.ts";
import { nextGatewayImage } from "../../test-support/cluster/shared-cluster.ts";
import { redisImage } from "../../test-support/cluster/addons/redis-image.ts";

// Two gateways on two nodes that share their state in the stack's own store, and how they behave without it.

const slots = 2;
const clients = 12;
const tokens = 16;
const store = "localhost/redis-of-tests:1";

const name = "k8s-state";
const bob = makeKey("bob", " requests=1");
const eve = makeKey("eve");
let updateOutput = "";

const running = shareStack(name, async (stack) => {
  stack.useRightsOfDocument();
  stack.cluster.loadArchive(await redisImage(stack.cluster.folder, store));
  stack.project.configure({
    state: "redis",
    stateImage: store,
    gatewayReplicas: 2,
    ollamaParallel: slots,
    gatewayApiKeys: [stack.ada.line, bob.line],
  });
  updateOutput = await stack.update();
});

/** Grants the deployer a right that docs/kubernetes.md lists in addition to its Role. */
function grant(role: string, verbs: string, resources: string): void {
  running().kubectl("create", "role", role, `--verb=${verbs}`, `--resource=${resources}`);
  running().kubectl("create", "rolebinding", role, `--role=${role}`, running().deployer);
}

/** Runs a command on the stack and expects it to succeed. */
async function run(command: string): Promise<string> {
  const { code, output } = await running().project.run(
    process.execPath,
    [`scripts/commands/${command}.ts`, "--stack", name],
    { OLLAMA_STACK_API_KEY: running().ada.key },
  ).done;
  expect(code, output).toBe(0);
  return output;
}

/** A metric from each ready gateway. */
async function metrics(name: string): Promise<readonly number[]> {
  const { gatewayUrls, ada } = running();
  const texts = gatewayUrls.map(async (url) => (await running().get("/metrics", ada, url)).text());
  return (await Promise.all(texts)).map((text) =>
    Number(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, "m").exec(text)?.[1] ?? NaN),
  );
}

/** The readiness of each gateway, including its state of the store. */
function readiness(): Promise<readonly unknown[]> {
  const { gatewayUrls, ada } = running();
  return Promise.all(gatewayUrls.map(async (url) => (await running().get("/ready", ada, url)).json()));
}

const untilSharing = (state: "up" | "away", gateways = 2) => {
  const expected = { status: "ready", shared_state: state };
  return expect.poll(readiness).toEqual(Array.from({ length: gateways }, () => expected));
};

/** The PID of the store's process on this host. */
function storeProcess(): number {
  const [pod] = running().pods("state");
  if (pod === undefined) throw new Error("the store has no pod");
  return podProcess(pod, (folder) => readFileSync(`${folder}/comm`, "utf8").startsWith("redis-server"));
}

it("comes up with a gateway on each node, each of which knows the other", async () => {
  const nodes = running()
    .pods("gateway")
    .map(({ spec }) => spec.nodeName);
  expect(nodes.toSorted()).toEqual(["n1", "n2"]);
  await untilSharing("up");
  await expect.poll(() => metrics("gateway_shared_state_gateways")).toEqual([2, 2]);
});

it("keeps its password in a Secret and out of state, other objects, commands and output", async () => {
  const { data } = running().cluster.get("secret", "state", `--namespace=${running().namespace}`) as {
    readonly data: Readonly<Record<string, string>>;
  };
  const password = Buffer.from(data["password"] ?? "", "base64").toString();
  expect(password).toMatch(/^[\w-]{43}$/);
  const objects = running().kubectl(
    "get",
    "pods,deployments,replicasets,services,configmaps",
    "--output=json",
  );
  const state = await running().project.pulumi("stack", "export");
  const command = readFileSync(`/proc/${String(storeProcess())}/cmdline`, "utf8");
  for (const text of [objects, state, command, updateOutput]) expect(text).not.toContain(password);
});

it("previews no changes, reports no drift, and shows which gateways reach the store", async () => {
  await running().project.pulumi("preview", "--refresh", "--expect-no-changes");
  await run("drift");
  grant("logs", "get", "pods/log");
  grant("forward", "create", "pods/portforward");
  const status = await run("status");
  expect(status).toMatch(/^state-\S+ +running +ready +0 /m);
  expect(status.match(/^gateway-\S+: shared state is up$/gm)).toHaveLength(2);
});

it("applies changed keys in every gateway before the update ends", async () => {
  const { project, ada, gatewayUrls } = running();
  project.configure({ gatewayApiKeys: [ada.line, bob.line, eve.line] });
  await running().update();
  const responses = gatewayUrls.map((url) => running().get("/v1/models", eve, url));
  expect((await Promise.all(responses)).map(({ status }) => status)).toEqual([200, 200]);
});

it("limits parallel requests to a server across gateways", async () => {
  const loads = running().gatewayUrls.map((url) => running().clients(clients / 2, tokens, url));
  await expect.poll(() => loads.every(({ completed }) => completed > 0)).toBe(true);
  const sums: number[] = [];
  while (sums.length < 15) {
    const counts = await metrics("gateway_backend_requests_in_flight");
    // The gateways are not read at the same instant: a slot that changes gateways between the reads counts twice.
    sums.push(counts.reduce((sum, count) => sum + count, 0));
  }
  for (const load of loads) await load.stop();
  // Without shared state, they would send twice as many all the time, hence the median.
  expect(sums.toSorted()[Math.floor(sums.length / 2)]).toBeLessThanOrEqual(slots);
  expect(loads.flatMap(({ failures }) => failures)).toEqual([]);
});

it("applies a key's limits across both gateways", async () => {
  const [one = "", other = ""] = running().gatewayUrls;
  const first = await running().sendChat(bob, one);
  const second = await running().sendChat(bob, other);
  expect([first.status, second.status]).toEqual([200, 429]);
});

it("serves every request while the store is away, killed or replaced, and shares again afterwards", async () => {
  const load = await running().stream(clients, tokens);
  running().kubectl("scale", "deployment/state", "--replicas=0");
  await untilSharing("away");
  await load.completeMore(clients);
  running().kubectl("scale", "deployment/state", "--replicas=1");
  await untilSharing("up");

  const failures = () => metrics("gateway_shared_state_failures");
  const lose = async (how: () => void) => {
    const before = await failures();
    how();
    await expect
      .poll(async () => (await failures()).every((count, i) => count > (before[i] ?? Infinity)))
      .toBe(true);
    await untilSharing("up");
    await load.completeMore(clients);
  };
  await lose(() => process.kill(storeProcess(), "SIGKILL"));
  await lose(() => {
    running().kubectl("delete", "pods", "--selector=app=state", "--wait=false");
  });
  await load.stop();
  expect(load.failures).toEqual([]);
});

it("rotates the password in the store and both gateways without failed requests", async () => {
  const before = [...running().uids("gateway"), ...running().uids("state")];
  const load = await running().stream(clients, tokens);
  await running().project.pulumi("up", "--yes", "--skip-preview", "--replace", "**::state-password");
  await untilSharing("up");
  await load.stop();
  expect(load.failures).toEqual([]);
  const after = [...running().uids("gateway"), ...running().uids("state")];
  expect(after).toHaveLength(3);
  expect(after.filter((uid) => before.includes(uid))).toEqual([]);
});

it("loses no request when a gateway is deleted", async () => {
  const before = running().uids("gateway");
  const load = await running().stream(clients, tokens);
  const [pod] = running().pods("gateway");
  running().kubectl("delete", "pod", pod?.metadata.name ?? "", "--wait=false");
  await running().untilGateways(2);
  await expect.poll(() => running().uids("gateway")).not.toContain(pod?.metadata.uid);
  await load.completeMore(clients);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(running().uids("gateway")).not.toEqual(before);
  await untilSharing("up");
});

it("lets an autoscaler scale the gateways within its bounds, up and down without failed requests", async () => {
  const { project } = running();
  grant("scaling", "get,list,watch,create,patch,delete", "horizontalpodautoscalers.autoscaling");
  const load = await running().stream(clients, tokens);
  project.configure({ gatewayMaxReplicas: 3 });
  await running().update();
  // This cluster has no CPU metrics, so the autoscaler only enforces its minimum and maximum.
  await running().untilGateways(2);
  running().kubectl("scale", "deployment/gateway", "--replicas=5");
  await running().untilGateways(3);
  await project.pulumi("preview", "--refresh", "--expect-no-changes");
  await untilSharing("up", 3);
  project.configure({ gatewayMaxReplicas: 1 });
  await running().update();
  await running().untilGateways(2);
  await load.completeMore(clients);
  await load.stop();
  expect(load.failures).toEqual([]);
});

it("replaces both gateways with another image while clients stream, without failed requests", async () => {
  const before = running().uids("gateway");
  const stored = running().uids("state");
  const load = await running().stream(clients, tokens);
  // Ollama's pod also has a container with this image; only the gateway is updated.
  running().kubectl("set", "image", "deployment/gateway", `gateway=${nextGatewayImage}`);
  await running().untilReplaced("gateway", before);
  await running().untilGateways(2);
  await load.completeMore(clients);
  await load.stop();
  expect(load.failures).toEqual([]);
  expect(running().uids("state")).toEqual(stored);
  await untilSharing("up");
});
