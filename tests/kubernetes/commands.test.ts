import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { delimiter, dirname } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Kubectl } from "../../cluster/kubectl.ts";
import { withForward } from "../../cluster/port-forward.ts";
import { Cluster } from "../../test-support/cluster/cluster.ts";
import { Project } from "../../test-support/project.ts";
import { partBinary } from "../../toolchain/binaries.ts";
import { clusterParts } from "../../toolchain/cluster-binaries.ts";

// The npm commands with a stack in a real cluster of two nodes.

const stack = "k8s-commands";
const namespace = `ollama-stack-${stack}`;
const image = "ollama-stack/gateway-of-tests:2";
const model = "smollm2:135m";
const key = `sk-${randomBytes(24).toString("hex")}`;
const keyLine = `ada sha256=${createHash("sha256").update(key).digest("hex")} admin`;

process.env["PATH"] = [dirname(partBinary(clusterParts.kubectl)), process.env["PATH"]].join(delimiter);
const project = new Project({ stack, ollamaPort: 0, gatewayPort: 8000 });
let cluster: Cluster | undefined;
let kubectl: Kubectl;

/** Runs a command about the stack. */
const run = (name: string, ...args: string[]) =>
  project.run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", stack, ...args], {
    OLLAMA_STACK_API_KEY: key,
  }).done;

/** The same, and expects it to succeed. */
async function succeed(name: string, ...args: string[]): Promise<string> {
  const { code, output } = await run(name, ...args);
  expect(code, output).toBe(0);
  return output;
}

beforeAll(async () => {
  execFileSync(process.execPath, ["scripts/commands/image.ts", "--tag", image], { stdio: "inherit" });
  cluster = await Cluster.start();
  kubectl = new Kubectl({ kubeconfig: cluster.kubeconfig, context: "", namespace });
  cluster.loadImages(image, "ollama-stack/ollama:0.17.4");
  project.configure({
    engine: "kubernetes",
    kubeconfig: cluster.kubeconfig,
    gatewayImage: image,
    gatewayApiKeys: [keyLine],
    networkName: undefined,
    edgeImage: undefined,
    prometheusImage: undefined,
    ollamaMemoryMiB: 1024,
    ollamaHosts: ["registry", "blobs"].map((name) => `${name}:172.17.0.1`),
    drainTimeoutSeconds: 10,
  });
  await succeed("up");
});

afterAll(async () => {
  if (cluster !== undefined) await project.tryPulumi("destroy", "--yes", "--skip-preview");
  await project.dispose();
  await cluster?.stop();
  execFileSync("docker", ["image", "rm", image], { stdio: "ignore" });
});

describe("npm run status", () => {
  it("shows each pod with its node, the queue and the loaded models", async () => {
    const output = await succeed("status");
    expect(output).toMatch(/^stack k8s-commands +STATE +HEALTH +RESTARTS +SINCE +NODE$/m);
    expect(output).toMatch(/^gateway-\S+ +running +ready +0 +\S+ \S+ +n[12]$/m);
    expect(output).toMatch(/^ollama-0 +running +ready +0 +\S+ \S+ +n[12]$/m);
    expect(output).toMatch(/^requests: \d+ in flight, 0 waiting$/m);
    expect(output).toMatch(/^loaded models: /m);
  });
});

describe("npm run logs", () => {
  it("merges the logs of all pods and their sidecars", async () => {
    const components = (await succeed("logs", "--tail", "5", "--json"))
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => (JSON.parse(line) as { component: string }).component.replace(/^gateway-.*/, "gateway"));
    expect([...new Set(components)].toSorted()).toEqual(["gateway", "ollama-0", "ollama-0/models"]);
  });

  it("shows those of one component", async () => {
    const output = await succeed("logs", "ollama-0/models");
    expect(output).toContain(`${model} is installed`);
    expect(output).not.toContain("Server listening");
  });
});

describe("npm run keys", () => {
  const statusWith = (secret: string) =>
    withForward(kubectl, "service/gateway", "http", async (url) => {
      const response = await fetch(`${url}/v1/models`, { headers: { authorization: `Bearer ${secret}` } });
      return response.status;
    });
  const gatewayPod = () => kubectl.run(["get", "pods", "--selector=app=gateway", "--output=name"]);

  it("has the running gateway take a key that is added, and drop one that is revoked", async () => {
    const pod = await gatewayPod();
    const [added] = /sk-\S+/.exec(await succeed("keys", "add", "bob")) ?? [""];
    expect(await statusWith(added)).toBe(200);
    expect(await succeed("keys", "list")).toMatch(/^bob +\S+ +valid/m);
    await succeed("keys", "revoke", "bob");
    expect(await statusWith(added)).toBe(401);
    expect(await gatewayPod()).toBe(pod);
  });

  it("leaves nothing for the next update to change", async () => {
    await project.pulumi("preview", "--expect-no-changes");
  });
});

describe("npm run smoke", () => {
  it("passes", async () => {
    expect(await succeed("smoke")).toMatch(/^\d\d passed, 0 failed$/m);
  });
});
