import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDeployment } from "../../scripts/stack/deployment.ts";
import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";
import { expectApplied } from "./applied-inputs.ts";
import { DriftCommands } from "./drift-commands.ts";
import { previewSteps } from "./preview-steps.ts";
import { containers, ReplicatedStack } from "./replicated-stack.ts";

// What depends on the engine's version, in the life of one stack: for the machine's own engine, which may be as old as
// 20.10. On Docker 29, life, replicas, drift and model-volumes test this and more.
const project = new Project({ stack: "older", ollamaPort: 18948, gatewayPort: 18940 });
const stack = new ReplicatedStack(project);
const environment = { OLLAMA_STACK_API_KEY: stack.key };
const nameOf = stack.nameOf.bind(stack);
const commands = new DriftCommands(project, environment);
const volume = "ollama-stack-older-ollama-models";
const control = ["node", "/app/control.cjs"];

const expectResponse = async () => {
  const response = await stack.chat({ max_tokens: 4 });
  expect([response.status, await response.json()]).toMatchObject([200, { object: "chat.completion" }]);
};
const destroy = async (...args: string[]) => {
  const script = ["scripts/commands/destroy.ts", "--stack", project.stack, "--yes", ...args];
  const { code, output } = await project.run(process.execPath, script).done;
  expect(code, output).toBe(0);
};

beforeAll(async () => {
  project.configure({ retainModels: true });
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  await stack.close();
  await project.dispose();
});

describe("two gateways and two Ollama servers behind an edge", () => {
  it("are previewed completely, and respond after the first update", async () => {
    const created = await previewSteps(project);
    for (const name of ["network-bridge", "ollama-models", ...containers.map((each) => `${each}-container`)])
      expect(created).toHaveProperty([name], "create");
    await stack.up();
    await expectResponse();
  });

  it("have every input of their containers applied by the engine", async () => {
    const { resources } = await readDeployment(project.stack, project.env);
    const declared = resources.filter(({ type }) => type === "docker:index/container:Container");
    expect(declared).toHaveLength(containers.length);
    for (const { inputs } of declared) expectApplied(inputs);
  });

  it("are not changed by a second update, and have not drifted", async () => {
    await project.pulumi("preview", "--refresh", "--expect-no-changes");
    const { code, output } = await commands.drift();
    expect(code, output).toBe(0);
  });

  it("roll out changes of both images while clients stream, without a failed or cut off response", async () => {
    await stack.rollOutBothImages(20);
  });
});

describe("changes by hand", () => {
  it("to running containers are reported by property, and undone in place where possible", async () => {
    const [ollama, gateway] = [nameOf("ollama-2"), nameOf("gateway-2")];
    const before = inspect(ollama, ".Id");
    docker("container", "update", "--memory", "1g", "--memory-swap", "1g", "--pids-limit", "77", ollama);
    docker("container", "update", "--restart", "no", ollama);
    docker("network", "disconnect", stack.outputs.networkName, gateway);
    docker("network", "connect", "bridge", gateway);
    docker("container", "stop", nameOf("edge"));
    // As an update does that is killed before it replaces the gateway.
    docker("exec", nameOf("gateway"), ...control, "drain", "0", "0");
    const text = await commands.expectDrift();
    for (const line of [
      "memory expected 4096 MiB actual 1024 MiB",
      "memory and swap expected 4096 MiB actual 1024 MiB",
      "restart expected unless-stopped actual no",
      "processes expected 1024 actual 77",
      "state expected running actual exited",
      "requests expected accepted actual drained",
    ])
      expect(text).toContain(line);
    expect(text).toMatch(/networks expected ollama_network_older \(id [0-9a-f]{12}, .*\) actual bridge/);
    await commands.repair();
    expect(docker("exec", nameOf("gateway"), ...control, "drained")).toBe("");
    expect(inspect(ollama, ".Id")).toBe(before);
    expect(inspect(ollama, ".HostConfig")).toMatchObject({
      Memory: 4096 * 1024 * 1024,
      PidsLimit: 1024,
      RestartPolicy: { Name: "unless-stopped" },
    });
    expect(Object.keys(inspect(gateway, ".NetworkSettings.Networks") as object)).toEqual([
      stack.outputs.networkName,
    ]);
    await expectResponse();
  });

  it("that remove containers, an image and the volume with the models are reported and undone", async () => {
    docker("container", "rm", "--force", ...containers.slice(1).map(nameOf));
    const [image] = leftovers(project.stack).images.filter((name) => name.includes("gateway"));
    docker("image", "rm", image ?? expect.fail("no image"));
    docker("volume", "rm", volume);
    const text = await commands.expectDrift();
    for (const each of ["gateway", "ollama"])
      expect(text).toContain(
        `${each}-container (${nameOf(each as "gateway")}) state expected there actual removed`,
      );
    expect(text).toContain(`ollama-models (${volume}) state expected there actual removed`);
    expect(text).toMatch(/gateway-image \(\S+\) image expected/);
    await commands.repair();
    await expectResponse();
  });
});

describe("destroy", () => {
  it("keeps the models if told to, which the next update does not download again", async () => {
    await destroy("--models", "keep");
    expect(leftovers(project.stack)).toMatchObject({ containers: [], networks: [], volumes: [volume] });
    project.configure({ edge: "none", gatewayReplicas: 1, ollamaReplicas: 1 });
    const output = await project.pulumi("up", "--yes", "--skip-preview");
    expect(output).toContain("smollm2:135m is installed");
    expect(output).not.toMatch(/: \d\d? % of \d/);
  });

  it("removes every container, network, volume and image of the stack", async () => {
    await destroy("--models", "delete");
    docker("image", "rm", String(project.configured("ollamaImage")));
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });
});
