import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { delimiter, dirname } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { freePort } from "../../host/free-port.ts";
import { Cluster } from "../../test-support/cluster/cluster.ts";
import { Project } from "../../test-support/project.ts";
import { partBinary } from "../../toolchain/binaries.ts";
import { clusterParts } from "../../toolchain/cluster-binaries.ts";

// The life of a stack in a real cluster of two nodes.

const stack = "k8s-life";
const namespace = `ollama-stack-${stack}`;
const image = "ollama-stack/gateway-of-tests:1";
const ollamaImage = "ollama-stack/ollama:0.17.4";
const model = "smollm2:135m";
// Where the model registry of this machine is, seen from pods.
const registryAddress = "172.17.0.1";

const keyOf = (name: string, flags = "") => {
  const key = `sk-${randomBytes(24).toString("hex")}`;
  return { key, line: `${name} sha256=${createHash("sha256").update(key).digest("hex")}${flags}` };
};
// Metrics show the usage of all keys.
const [ada, bob] = [keyOf("ada", " admin"), keyOf("bob")];

process.env["PATH"] = [dirname(partBinary(clusterParts.kubectl)), process.env["PATH"]].join(delimiter);
const project = new Project({ stack, ollamaPort: 0, gatewayPort: 8000 });
let cluster: Cluster | undefined;
let forward: ChildProcess | undefined;
let gatewayUrl = "";

const running = (): Cluster => {
  if (cluster === undefined) throw new Error("the cluster does not run");
  return cluster;
};

beforeAll(async () => {
  execFileSync(process.execPath, ["scripts/commands/image.ts", "--tag", image], { stdio: "inherit" });
  cluster = await Cluster.start();
  cluster.loadImages(image, ollamaImage);
  project.configure({
    engine: "kubernetes",
    kubeconfig: cluster.kubeconfig,
    gatewayImage: image,
    gatewayApiKeys: [ada.line],
    networkName: undefined,
    edgeImage: undefined,
    prometheusImage: undefined,
    ollamaMemoryMiB: 1024,
    ollamaHosts: ["registry", "blobs"].map((name) => `${name}:${registryAddress}`),
    drainTimeoutSeconds: 60,
  });
  await project.pulumi("stack", "init", stack);
});

afterAll(async () => {
  forward?.kill("SIGKILL");
  if (cluster !== undefined) await project.tryPulumi("destroy", "--yes", "--skip-preview");
  await project.dispose();
  await cluster?.stop();
  execFileSync("docker", ["image", "rm", image], { stdio: "ignore" });
});

const update = () => project.pulumi("up", "--yes", "--skip-preview");

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly spec: { readonly nodeName: string };
}
function pods(app: string): readonly Pod[] {
  const list = running().get("pods", `--namespace=${namespace}`, `--selector=app=${app}`) as {
    readonly items: readonly Pod[];
  };
  return list.items;
}
const uids = (app: string) => pods(app).map(({ metadata }) => metadata.uid);

/** Reaches the gateway as docs/kubernetes.md says. */
async function forwardGateway(): Promise<void> {
  const port = await freePort();
  const options = [`--kubeconfig=${running().kubeconfig}`, `--namespace=${namespace}`];
  forward = spawn("kubectl", ["port-forward", ...options, "service/gateway", `${String(port)}:8000`], {
    stdio: "ignore",
  });
  gatewayUrl = `http://127.0.0.1:${String(port)}`;
  await expect
    .poll(() =>
      fetch(`${gatewayUrl}/health`).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    .toBe(200);
}

const get = (path: string, key: string) =>
  fetch(`${gatewayUrl}${path}`, { headers: { authorization: `Bearer ${key}` } });

async function chat(): Promise<string> {
  const response = await fetch(`${gatewayUrl}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${ada.key}`, "content-type": "application/json" },
    body: JSON.stringify({ model, max_tokens: 8, messages: [{ role: "user", content: "Say hello." }] }),
  });
  const body = (await response.json()) as { choices?: { message: { content: string } }[] };
  expect(response.status, JSON.stringify(body)).toBe(200);
  return body.choices?.[0]?.message.content ?? "";
}

it("comes up, with the model pulled in its pod, and responds to a chat", async () => {
  await update();
  const outputs = JSON.parse(await project.pulumi("stack", "output", "--json")) as Record<string, unknown>;
  expect(outputs).toMatchObject({
    engine: "kubernetes",
    namespace,
    gatewayUrl: `http://gateway.${namespace}.svc:8000`,
    installedModels: [{ model, digest: expect.stringMatching(/^[0-9a-f]{64}$/) as string }],
  });
  await forwardGateway();
  expect((await get("/ready", ada.key)).status).toBe(200);
  expect(await chat()).not.toBe("");
});

it("lets nobody in without a key, and gives its pods no token of the cluster", async () => {
  expect((await fetch(`${gatewayUrl}/v1/models`)).status).toBe(401);
  const token = "/var/run/secrets/kubernetes.io";
  for (const { metadata } of pods("gateway")) {
    const options = ["exec", metadata.name, `--namespace=${namespace}`, "--", "node", "--eval"];
    const script = `console.log(require("node:fs").existsSync(${JSON.stringify(token)}))`;
    expect(
      running()
        .kubectl([...options, script])
        .trim(),
    ).toBe("false");
  }
});

it("has nothing to change when nothing has changed", async () => {
  await project.pulumi("preview", "--expect-no-changes");
  await project.pulumi("preview", "--refresh", "--expect-no-changes");
});

it("takes changed keys without a new pod", async () => {
  const before = [...uids("gateway"), ...uids("ollama")];
  project.configure({ gatewayApiKeys: [ada.line, bob.line] });
  await update();
  // The kubelet brings a changed Secret to its pods within a minute or two.
  await expect
    .poll(async () => (await get("/v1/models", bob.key)).status, { timeout: 180_000, interval: 1000 })
    .toBe(200);
  expect([...uids("gateway"), ...uids("ollama")]).toEqual(before);
});

it("grows to a pod on each node, which has the model too, and the gateway finds it without a new pod", async () => {
  const before = uids("gateway");
  project.configure({ ollamaReplicas: 2 });
  await update();
  expect(
    pods("ollama")
      .map(({ spec }) => spec.nodeName)
      .toSorted(),
  ).toEqual(["n1", "n2"]);
  await expect
    .poll(async () => {
      const text = await (await get("/metrics", ada.key)).text();
      return text.split("\n").filter((line) => /^gateway_backend_up\{.*\} 1$/.test(line)).length;
    })
    .toBe(2);
  expect(uids("gateway")).toEqual(before);
});

it("takes back what somebody scaled by hand", async () => {
  running().kubectl(["scale", "statefulset/ollama", "--replicas=1", `--namespace=${namespace}`]);
  await project.pulumi("up", "--yes", "--skip-preview", "--refresh");
  expect(pods("ollama")).toHaveLength(2);
});

it("shrinks again and goes on responding", async () => {
  project.configure({ ollamaReplicas: 1 });
  await update();
  await expect.poll(() => pods("ollama").length).toBe(1);
  expect(await chat()).not.toBe("");
});

it("is destroyed with everything that it had", async () => {
  await project.pulumi("destroy", "--yes", "--skip-preview");
  const names = running().kubectl(["get", "namespaces", "--output=name"]);
  expect(names).not.toContain(namespace);
});
