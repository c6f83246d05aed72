import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Kubectl } from "../../cluster/kubectl.ts";
import { withForward } from "../../cluster/port-forward.ts";
import { ClusterStack, model } from "../../test-support/cluster/stack/cluster-stack.ts";
import {
  interruptAfter,
  requestingProgram,
  runCommand,
  startCommand,
} from "../../test-support/cluster/stack/commands.ts";
import { otherCluster, unprivileged } from "../../test-support/cluster/stack/kubeconfigs.ts";
import { registryWithImage } from "../../test-support/fakes/oci-registry.ts";
import { makeVolumes, removeVolumes, storageClass } from "../../test-support/cluster/addons/volumes.ts";

// The npm commands on a stack in a real cluster of two nodes. Its models are on volumes that outlive it.

const name = "k8s-commands";
const namespace = `ollama-stack-${name}`;
const gatewayPort = 18_960;
const forwardedUrl = `http://127.0.0.1:${String(gatewayPort)}`;

let started: ClusterStack | undefined;
let kubectl: Kubectl;
const stack = (): ClusterStack => {
  if (started === undefined) throw new Error("the cluster is not running");
  return started;
};

const start = (command: string, args: readonly string[] = [], environment: NodeJS.ProcessEnv = {}) =>
  startCommand(stack(), command, args, environment);
const run = (command: string, ...args: string[]) => start(command, args).done;
const succeed = (command: string, ...args: string[]) => runCommand(stack(), command, args);

beforeAll(async () => {
  started = await ClusterStack.start(name, gatewayPort);
  const { cluster, project } = started;
  kubectl = new Kubectl({ kubeconfig: cluster.kubeconfig, context: "", namespace });
  makeVolumes(cluster);
  project.configure({ drainTimeoutSeconds: 10, storageClass, retainModels: true });
});
afterAll(async () => {
  await started?.dispose();
  if (started !== undefined) removeVolumes(started.cluster);
});

it("npm run up rejects another cluster after an interrupted first update, and completes that update in its own", async () => {
  const { project } = stack();
  const first = start("up");
  const exists = async () => (await kubectl.run(["get", "namespaces", "--output=name"])).includes(namespace);
  await expect.poll(exists).toBe(true);
  process.kill(-first.pid, "SIGKILL");
  await first.done;
  expect(JSON.parse(await project.pulumi("stack", "output", "--json"))).toEqual({});
  const { code, output } = await start("up", [], otherCluster(stack())).done;
  expect(code, output).toBe(1);
  expect(output).toContain(`The stack ${name} is deployed in the cluster at https://`);
  expect(await succeed("up")).toContain(`From here:  npm run forward -- --stack ${name} `);
});

it("npm run status shows each pod with its node, the queue and the loaded models", async () => {
  const output = await succeed("status");
  expect(output).toMatch(/^stack k8s-commands +STATE +HEALTH +RESTARTS +SINCE +NODE$/m);
  expect(output).toMatch(/^gateway-\S+ +running +ready +0 +\S+ \S+ +n[12]$/m);
  expect(output).toMatch(/^ollama-0 +running +ready +0 +\S+ \S+ +n[12]$/m);
  expect(output).toMatch(/^requests: \d+ in flight, 0 waiting$/m);
  expect(output).toMatch(/^loaded models: /m);
});

describe("npm run logs", () => {
  it("merges the logs of all pods and their sidecars", async () => {
    const components = (await succeed("logs", "--tail", "5", "--json"))
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => (JSON.parse(line) as { component: string }).component.replace(/^gateway-.*/, "gateway"));
    expect([...new Set(components)].toSorted()).toEqual(["gateway", "ollama-0", "ollama-0/models"]);
  });

  it("shows the logs of one component", async () => {
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
  const keyIn = (output: string) => /sk-\S+/.exec(output)?.[0] ?? "";

  it("applies added, rotated and revoked keys to the running gateway", async () => {
    const pod = await gatewayPod();
    const added = keyIn(await succeed("keys", "add", "bob"));
    expect(await statusWith(added)).toBe(200);
    const rotated = keyIn(await succeed("keys", "rotate", "bob", "--grace", "1h"));
    expect(rotated).not.toBe(added);
    // The previous key stays valid for an hour.
    expect(await Promise.all([added, rotated].map(statusWith))).toEqual([200, 200]);
    expect((await succeed("keys", "list")).match(/^bob +\S+ +valid/gm)).toHaveLength(2);

    // An update would be rejected, because the registry does not have the pinned model.
    const { project } = stack();
    const models = project.configured("models");
    project.configure({ models: withUnknownDigests() });
    const output = await succeed("keys", "revoke", "bob");
    project.configure({ models });
    expect(output).toContain(`The gateways of ${name} have applied it.`);
    expect(await Promise.all([added, rotated].map(statusWith))).toEqual([401, 401]);
    expect(await gatewayPod()).toBe(pod);
  });

  it("leaves no changes for the next update", async () => {
    await stack().project.pulumi("preview", "--expect-no-changes");
  });
});

it("npm run pin writes the digests of both images and of the installed models", async () => {
  const { project } = stack();
  const keys = ["gatewayImage", "ollamaImage", "models"];
  const before = Object.fromEntries(keys.map((key) => [key, project.configured(key)]));
  const registry = await registryWithImage();
  project.configure({ gatewayImage: registry.image, ollamaImage: registry.image });
  try {
    await succeed("pin");
    for (const key of ["gatewayImage", "ollamaImage"])
      expect(project.configured(key)).toMatch(new RegExp(`^${registry.image}@sha256:[0-9a-f]{64}$`));
    const outputs = JSON.parse(await project.pulumi("stack", "output", "--json")) as {
      installedModels: { digest: string }[];
    };
    expect(project.configured("models")).toMatchObject(
      outputs.installedModels.map(({ digest }) => ({ digest })),
    );
  } finally {
    project.configure(before);
    await registry.close();
  }
});

it("npm run smoke passes, and npm run usage reports its requests", async () => {
  expect(await succeed("smoke")).toMatch(/^\d\d passed, 0 failed$/m);
  expect(await succeed("usage")).toMatch(new RegExp(`^ada +${model} +[1-9]`, "m"));
});

it("npm run forward forwards the gateway to its local port until interrupted", async () => {
  await interruptAfter(start("forward"), `gateway: ${forwardedUrl}`, async () => {
    expect((await fetch(`${forwardedUrl}/health`)).status).toBe(200);
    const { code, output } = await run("open", "--print");
    expect(code, output).toBe(1);
    expect(output).toContain(`Port ${String(gatewayPort)} of this machine is in use.`);
  });
  await expect(fetch(`${forwardedUrl}/health`)).rejects.toThrow();
});

it("npm run open serves the console at the gateway's local port until interrupted", async () => {
  const page = `${forwardedUrl}/console/`;
  await interruptAfter(start("open", ["--print"]), `${page}\nuntil you press Ctrl-C`, async () => {
    const response = await fetch(page);
    expect(response.headers.get("content-type")).toContain("text/html");
    expect(await response.text()).toContain("<script");
  });
});

it("npm run clients prints the gateway's forwarded address and the command that forwards it", async () => {
  const output = await succeed("clients");
  expect(output).toContain(`npm run forward -- --stack ${name}`);
  expect(output).toContain(`export OPENAI_BASE_URL=${forwardedUrl}/v1`);
});

it("npm run client starts a program that reaches the gateway with its key", async () => {
  const { code, output } = await start("client", ["aider"], requestingProgram("aider", stack())).done;
  expect(code, output).toBe(0);
  expect(output).toMatch(new RegExp(`^200 .*"${model}"`, "m"));
});

it("npm run doctor reports the cluster as suitable and the pods as ready", async () => {
  const { output } = await run("doctor");
  expect(output).toMatch(/^ok +cluster +Kubernetes 1\.\d+, namespace ollama-stack-k8s-commands$/m);
  expect(output).toMatch(/^ok +cluster +rights, storage class and nodes are as the stack needs them$/m);
  expect(output).toMatch(/^ok +pod +ollama-0 on n[12]: ready, restarted 0 times$/m);
});

describe("npm run drift", () => {
  it("reports no drift after an update", async () => {
    expect(await succeed("drift")).toMatch(/^no drift: the \d+ objects of k8s-commands are as deployed$/m);
  });

  it("reports changes made by kubectl; npm run up reverts the stack's own fields, drift prints how to remove the rest", async () => {
    await kubectl.run(["delete", "poddisruptionbudget", "ollama"]);
    await kubectl.run(["scale", "deployment/gateway", "--replicas=0"]);
    const drift = await run("drift");
    expect(drift.code, drift.output).toBe(2);
    expect(drift.output).toMatch(/^PodDisruptionBudget ollama\n +state +expected there\n +actual +removed$/m);
    expect(drift.output).toMatch(/spec\.replicas +expected 1\n +actual +0/);
    await succeed("up");
    await kubectl.run(["set", "env", "deployment/gateway", "FOO=bar"]);
    await succeed("up");
    const { code, output } = await run("drift");
    expect(code, output).toBe(2);
    expect(output).not.toMatch(/PodDisruptionBudget|spec\.replicas/);
    expect(output).toMatch(
      /^Deployment gateway\n +spec\.template\.spec\.containers\[gateway\]\.env\[FOO\] +expected none\n +actual +bar$/m,
    );
    const [, removal = ""] = /remove the variable with: kubectl (set env .*)$/m.exec(output) ?? [];
    await kubectl.run(removal.split(" "));
    await kubectl.run(["rollout", "status", "deployment/gateway", "--timeout=100s"], { timeoutMs: 110_000 });
    await expect.poll(() => run("drift").then((result) => result.code)).toBe(0);
  });
});

it("npm run adopt refers to npm run up, which adopts the objects of a lost state without new pods", async () => {
  expect(await succeed("adopt")).toContain(
    `npm run up -- --stack ${name} itself adopts the stack's objects in the namespace ${namespace}`,
  );
  const pods = [...stack().uids("gateway"), ...stack().uids("ollama")];
  await stack().project.pulumi("stack", "rm", name, "--force", "--preserve-config", "--yes");
  await succeed("up");
  expect([...stack().uids("gateway"), ...stack().uids("ollama")]).toEqual(pods);
});

describe("npm run preview", () => {
  it("lists the changes of the next update and the models that a new pod will pull", async () => {
    stack().project.configure({ ollamaReplicas: 2 });
    const output = await succeed("preview");
    stack().project.configure({ ollamaReplicas: 1 });
    expect(output).toContain("- StatefulSet `ollama`, because of spec.replicas");
    expect(output).toMatch(
      /^- Model smollm2:135m: it will be pulled in ollama-1, 98\.4 MB, digest e93533fa695d$/m,
    );
  });

  it("warns that a changed size does not affect the volumes that are kept", async () => {
    stack().project.configure({ modelStorageGiB: 60 });
    const output = await succeed("preview");
    stack().project.configure({ modelStorageGiB: 50 });
    expect(output).toContain("The change of modelStorageGiB does not affect existing volumes");
  });

  it.each([
    ["storageClass", "fast", `storageClass is fast, but the cluster has only ${storageClass}.`],
    ["nodeSelector", { pool: "gpu" }, "No node has the labels pool=gpu from nodeSelector."],
    ["ollamaReplicas", 3, "ollamaReplicas is 3, and each Ollama pod needs its own node, but only 2 nodes"],
    ["kubeContext", "nope", "kubeContext is nope, but "],
    ["models", withUnknownDigests, `Model ${model}: its digest must be ${"0".repeat(64)}, but `],
  ])("rejects a setting that the cluster cannot satisfy: %s", async (key, value, reason) => {
    const { project } = stack();
    const before = project.configured(key);
    project.configure({ [key]: typeof value === "function" ? value() : value });
    const { code, output } = await run("preview");
    project.configure({ [key]: before });
    expect(code, output).toBe(1);
    expect(output).toContain("**Refused**: an update would change nothing.");
    expect(output).toContain(`- ${reason}`);
  });
});

describe("a context for another cluster", () => {
  const commands =
    "up, preview, keys add eve, drift, status, logs, forward, smoke, open --print, usage, clients, destroy --yes";

  it.each(commands.split(", "))("is rejected by npm run %s before it does anything there", async (line) => {
    const [command = "", ...args] = line.split(" ");
    const { code, output } = await start(command, args, otherCluster(stack())).done;
    expect(code, output).toBe(1);
    expect(output).toMatch(
      /The stack k8s-commands is deployed in the cluster at https:\S+ \([0-9a-f]{8}\), but .* \(00000000\)/,
    );
  });

  it("is reported as a problem by npm run doctor", async () => {
    const { output } = await start("doctor", [], otherCluster(stack())).done;
    expect(output).toMatch(/^PROBLEM +stack +The stack k8s-commands is deployed in the cluster at/m);
  });
});

it("npm run up names a missing permission and changes nothing", async () => {
  const { cluster, project } = stack();
  project.configure({ kubeconfig: unprivileged(stack()) });
  const { code, output } = await run("up");
  project.configure({ kubeconfig: cluster.kubeconfig });
  expect(code, output).not.toBe(0);
  expect(output).toMatch(/You are not allowed to .*create.* namespaces; /);
  await succeed("drift");
});

describe("npm run destroy and npm run purge", () => {
  const names = (kind: string) => kubectl.run(["get", kind, "--output=name"]);

  it("remove volumes only after both have run, and keep other objects in the namespace", async () => {
    for (const [reason, command, ...args] of [
      ["the StatefulSet ollama still exists; destroy its stack first", "purge", "--yes"],
      ["--models is for stacks on Docker.", "destroy", "--yes", "--models", "keep"],
      ["--update-models is for stacks on Docker.", "up", "--update-models"],
    ] as const) {
      const rejected = await run(command, ...args);
      expect(rejected.code, rejected.output).toBe(1);
      expect(rejected.output).toContain(reason);
    }

    const destroyed = await succeed("destroy", "--yes");
    expect(destroyed).toContain(`Kept: volume claim models-ollama-0 (50Gi), namespace ${namespace}.`);

    const unconfirmed = await run("purge");
    expect(unconfirmed.code, unconfirmed.output).toBe(1);
    expect(unconfirmed.output).toContain(
      `volume claim  50Gi  models-ollama-0\nnamespace        -  ${namespace}\n`,
    );
    expect(unconfirmed.output).toContain(`npm run purge -- --stack ${name} --yes`);
    expect(await names("persistentvolumeclaims")).toContain("models-ollama-0");

    await kubectl.run(["create", "configmap", "notes"]);
    const purged = await succeed("purge", "--yes");
    expect(purged).toContain(
      `The namespace ${namespace} is kept, because it contains objects that the stack did not create:`,
    );
    expect(purged).toContain("ConfigMap notes");
    expect(await names("persistentvolumeclaims")).not.toContain("models-ollama-0");

    await kubectl.run(["delete", "configmap", "notes"]);
    expect(await succeed("purge", "--yes")).toContain("Removed: 1");
    expect(await names("namespaces")).not.toContain(namespace);
    expect(await succeed("purge", "--yes")).toContain("Nothing to remove.");
  });
});

/** The models with digests that their registry does not have. */
function withUnknownDigests(): unknown {
  const models = stack().project.configured("models") as object[];
  return models.map((each) => ({ ...each, digest: "0".repeat(64) }));
}
