import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
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
const gatewayPort = 18_960;
const project = new Project({ stack, ollamaPort: 0, gatewayPort });
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

  it("revokes a key while a model's registry would keep an update from it", async () => {
    const [added] = /sk-\S+/.exec(await succeed("keys", "add", "eve")) ?? [""];
    const models = project.configured("models");
    project.configure({ models: pinned() });
    const output = await succeed("keys", "revoke", "eve");
    project.configure({ models });
    expect(output).toContain(`The gateways of ${stack} have applied it.`);
    expect(await statusWith(added)).toBe(401);
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

describe("npm run forward", () => {
  it("brings the gateway to its port on this machine, until it is interrupted", async () => {
    const forward = project.run(process.execPath, ["scripts/commands/forward.ts", "--stack", stack]);
    await expect.poll(forward.output).toContain(`gateway: http://127.0.0.1:${String(gatewayPort)}`);
    expect((await fetch(`http://127.0.0.1:${String(gatewayPort)}/health`)).status).toBe(200);
    process.kill(forward.pid, "SIGINT");
    expect((await forward.done).code).toBe(0);
    await expect(fetch(`http://127.0.0.1:${String(gatewayPort)}/health`)).rejects.toThrow();
  });
});

describe("npm run usage", () => {
  it("has what the requests of the tests before came to", async () => {
    expect(await succeed("usage")).toMatch(new RegExp(`^ada +${model} +[1-9]`, "m"));
  });
});

describe("npm run doctor", () => {
  it("finds the cluster fit, and its pods ready", async () => {
    const { output } = await run("doctor");
    expect(output).toMatch(/^ok +cluster +Kubernetes 1\.\d+, namespace ollama-stack-k8s-commands$/m);
    expect(output).toMatch(/^ok +cluster +rights, storage class and nodes are as the stack needs them$/m);
    expect(output).toMatch(/^ok +pod +ollama-0 on n[12]: ready, restarted 0 times$/m);
  });
});

describe("npm run drift", () => {
  it("finds nothing after an update", async () => {
    expect(await succeed("drift")).toMatch(/^no drift: the \d+ objects of k8s-commands are as deployed$/m);
  });

  it("finds what kubectl has changed, and npm run up takes back what is the stack's", async () => {
    await kubectl.run(["delete", "poddisruptionbudget", "ollama"]);
    await kubectl.run(["set", "env", "deployment/gateway", "FOO=bar"]);
    const { code, output } = await run("drift");
    expect(code, output).toBe(2);
    expect(output).toMatch(/^PodDisruptionBudget ollama\n +state +expected there\n +actual +removed$/m);
    expect(output).toMatch(
      /^Deployment gateway\n +spec\.template\.spec\.containers\[gateway\]\.env\[FOO\] +expected none\n +actual +bar$/m,
    );
    expect(output).toContain("remove what was added with: kubectl edit deployment.apps gateway");
    await kubectl.run(["set", "env", "deployment/gateway", "FOO-"]);
    await succeed("up");
    await succeed("drift");
  });
});

describe("npm run preview", () => {
  it("says what the next update changes, and what a new pod will pull", async () => {
    project.configure({ ollamaReplicas: 2 });
    const output = await succeed("preview");
    expect(output).toContain("- StatefulSet `ollama`, because of spec.replicas");
    expect(output).toMatch(
      /^- Model smollm2:135m: it will be pulled in ollama-1, 98\.4 MB, digest e93533fa695d$/m,
    );
  });

  it.each([
    ["storageClass", "fast", "storageClass is fast, but the cluster has no storage class."],
    ["nodeSelector", { pool: "gpu" }, "No node has the labels pool=gpu of nodeSelector."],
    [
      "ollamaReplicas",
      3,
      "ollamaReplicas is 3, and each pod of Ollama needs a node of its own, but only 2 nodes",
    ],
    ["kubeContext", "nope", "kubeContext is nope, but "],
    ["models", pinned(), `Model ${model}: its digest must be ${"0".repeat(64)}, but `],
  ])("refuses what the cluster cannot have: %s", async (name, value, reason) => {
    const before = project.configured(name);
    project.configure({ [name]: value });
    const { code, output } = await run("preview");
    project.configure({ [name]: before });
    expect(code, output).toBe(1);
    expect(output).toContain("**Refused**: an update would change nothing.");
    expect(output).toContain(`- ${reason}`);
  });
});

describe("a context that leads to another cluster", () => {
  it("is noticed before anything changes there", async () => {
    const state = await project.pulumi("stack", "export");
    const place = cluster?.get("namespace", "kube-system") as { readonly metadata: { readonly uid: string } };
    const { uid } = place.metadata;
    expect(state).toContain(uid);
    const replaced = join(project.folder, "state.json");
    const restore = async (text: string) => {
      writeFileSync(replaced, text);
      await project.pulumi("stack", "import", "--file", replaced);
    };
    await restore(state.replaceAll(uid, "0".repeat(36)));
    const commands = [["up"], ["preview"], ["keys", "list"], ["drift"], ["destroy", "--yes"]] as const;
    for (const [name, ...args] of commands) {
      const { code, output } = await run(name, ...args);
      expect(code, output).toBe(1);
      expect(output).toMatch(
        /The stack k8s-commands is deployed in the cluster at https:\S+ \(00000000\), but/,
      );
    }
    await restore(state);
  });
});

describe("npm run up", () => {
  it("changes nothing where a right is missing, and says which", async () => {
    project.configure({ ollamaReplicas: 1, kubeconfig: unprivileged() });
    const { code, output } = await run("up");
    project.configure({ kubeconfig: cluster?.kubeconfig });
    expect(code, output).not.toBe(0);
    expect(output).toMatch(/The cluster does not let you .*create.* namespaces; /);
    await succeed("drift");
  });
});

describe("npm run destroy", () => {
  it("takes the namespace with all that is in it", async () => {
    await succeed("destroy", "--yes");
    expect(await kubectl.run(["get", "namespaces", "--output=name"])).not.toContain(namespace);
  });
});

/** The models, with a digest that their registry does not have. */
function pinned(): unknown {
  const models = project.configured("models") as object[];
  return models.map((each) => ({ ...each, digest: "0".repeat(64) }));
}

/** A kubeconfig for an account of the cluster without any rights. */
function unprivileged(): string {
  if (cluster === undefined) throw new Error("the cluster does not run");
  const file = join(project.folder, "unprivileged");
  const config = JSON.parse(cluster.kubectl(["config", "view", "--raw", "--output=json"])) as {
    users: { user: object }[];
  };
  const token = cluster.kubectl(["create", "token", "default", "--namespace=default"]).trim();
  for (const user of config.users) user.user = { token };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}
