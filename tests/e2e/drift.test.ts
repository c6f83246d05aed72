import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDeployment } from "../../scripts/stack/deployment.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { docker, inspect, recreate } from "../../test-support/stack/by-hand.ts";
import { leftovers, Project, type Result } from "../../test-support/stack/project.ts";
import { expectApplied } from "./applied-inputs.ts";
import { foreignContainerOf } from "./refused-updates.ts";

// What somebody changes by hand is found by npm run drift, and repaired by npm run up.
const project = new Project({ stack: "drift", ollamaPort: 18408, gatewayPort: 18400 });
const network = "ollama_network_drift";
const foreignContainer = foreignContainerOf(project.stack);
const idle = "setInterval(() => {}, 1000)";
let outputs: StackOutputs;

const drift = () =>
  project.run(process.execPath, ["scripts/commands/drift.ts", "--stack", project.stack]).done;
const up = () => project.run(process.execPath, ["scripts/commands/up.ts", "--stack", project.stack]).done;

/** The stack's name of an image, which other stacks may have, too. */
const imageName = (id: string) =>
  (JSON.parse(docker("image", "inspect", "--format", "{{json .RepoTags}}", id)) as string[]).find((name) =>
    name.includes(`-${project.stack}-`),
  ) ?? expect.fail(id);
const imageId = (name: string) => docker("image", "inspect", "--format", "{{.Id}}", name);
const short = (id: string) => id.replace("sha256:", "").slice(0, 12);

/** Drift that must be found; what was printed, with every run of blanks as one. */
async function found(): Promise<string> {
  const { code, output } = await drift();
  expect(code, output).toBe(2);
  return output.replace(/\s+/g, " ");
}

/** What is left after npm run up: a stack as it was deployed. */
async function repaired(): Promise<Result> {
  const result = await up();
  expect(result.code, result.output).toBe(0);
  // Both only look.
  const [{ code, output }] = await Promise.all([drift(), project.pulumi("preview", "--expect-no-changes")]);
  expect(code, output).toBe(0);
  return result;
}

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  await project.dispose();
  expect(leftovers(project.stack)).toEqual({ containers: [], networks: [], volumes: [], images: [] });
});

describe("npm run drift", () => {
  it("says that a stack which was never brought up is not deployed", async () => {
    const { code, output } = await drift();
    expect(code).toBe(1);
    expect(output).toMatch(/error: the stack drift is not deployed; deploy it with: npm run up/);
  });

  it("says in one line that nothing drifted, and ends with 0", async () => {
    expect((await up()).code).toBe(0);
    const [read, { code, output }] = await Promise.all([project.outputs(), drift()]);
    outputs = read;
    expect(code, output).toBe(0);
    expect(output).toMatch(
      /^no drift: the 7 containers, networks, volumes and images of drift are as deployed$/m,
    );
  });

  it("need not compare what cannot change: the engine has applied every input of each container", async () => {
    const { resources } = await readDeployment(project.stack, project.env);
    const containers = resources.filter(({ type }) => type === "docker:index/container:Container");
    expect(containers.length).toBeGreaterThanOrEqual(2);
    for (const { inputs } of containers) expectApplied(inputs);
  });
});

/**
 * Resolves just after a check of a container's health. One that is paused during a check is never continued by Docker 29:
 * its engine waits for the check's process, which is paused, too.
 */
async function healthChecked(container: string): Promise<void> {
  const last = () => (inspect(container, ".State.Health.Log") as { readonly Start: string }[]).at(-1)?.Start;
  const before = last();
  await expect.poll(last, { interval: 100 }).not.toBe(before);
}

describe("containers that were changed as they run", () => {
  it("are told by property, and changed back in place where that is possible", async () => {
    const { ollama, gateway } = outputs.containers;
    const before = inspect(ollama, ".Id");
    const image = imageName(outputs.images.gateway);
    docker("image", "tag", outputs.images.ollama, image);
    docker("container", "update", "--memory", "1g", "--memory-swap", "1g", "--pids-limit", "77", ollama);
    docker("container", "update", "--restart", "no", ollama);
    await healthChecked(ollama);
    docker("container", "pause", ollama);
    docker("network", "disconnect", network, gateway);
    docker("network", "connect", "bridge", gateway);
    const text = await found();
    for (const line of [
      `gateway-image (${image}) image expected ${short(outputs.images.gateway)} actual ${short(outputs.images.ollama)}`,
      "ollama-container (ollama-stack-drift-ollama)",
      "state expected running actual paused",
      "memory expected 4096 MiB actual 1024 MiB",
      "memory and swap expected 4096 MiB actual 1024 MiB",
      "restart expected unless-stopped actual no",
      "processes expected 1024 actual 77",
    ])
      expect(text).toContain(line);
    expect(text).toMatch(
      /networks expected ollama_network_drift \(id [0-9a-f]{12}, as gateway\) actual bridge/,
    );
    await repaired();
    expect(inspect(ollama, ".Id")).toBe(before);
    expect(inspect(ollama, ".HostConfig")).toMatchObject({
      Memory: 4096 * 1024 * 1024,
      PidsLimit: 1024,
      RestartPolicy: { Name: "unless-stopped" },
    });
    expect(imageId(image)).toBe(outputs.images.gateway);
    expect(inspect(gateway, ".Image")).toBe(outputs.images.gateway);
    expect(Object.keys(inspect(gateway, ".NetworkSettings.Networks") as object)).toEqual([network]);
  });
});

describe("a container that was recreated by hand", () => {
  it("is found by its id and its limits, and replaced by the stack's own", async () => {
    await recreate(outputs.containers.gateway, (creation) => {
      creation.Env = creation.Env.map((line) => line.replace(/^LOG_LEVEL=.*/, "LOG_LEVEL=debug")).concat(
        "SMTP=planted-secret",
      );
      creation.HostConfig.Binds = ["/etc:/host:ro"];
      creation.HostConfig.CpuShares = 100;
    });
    const text = await found();
    expect(text).toMatch(/ id expected [0-9a-f]{12} actual [0-9a-f]{12}: it was recreated by hand/);
    expect(text).toContain("CPU shares expected default actual 100");
    expect(text).not.toContain("planted-secret");
    // An update that cannot be takes nothing away.
    const made = inspect(outputs.containers.gateway, ".Id");
    project.configure({ gatewayLogLevel: "loud" });
    const refused = await project.run(process.execPath, ["scripts/commands/up.ts"]).done;
    expect(refused.code).not.toBe(0);
    expect(refused.output).toContain('gatewayLogLevel is "loud", but must be');
    expect(inspect(outputs.containers.gateway, ".Id")).toBe(made);
    project.configure({ gatewayLogLevel: undefined });
    const { output } = await repaired();
    expect(output).not.toContain("planted-secret");
    expect(inspect(outputs.containers.gateway, ".Config.Env")).toContain("LOG_LEVEL=info");
    expect(inspect(outputs.containers.gateway, ".Mounts")).toEqual([]);
  });
});

describe("a network", () => {
  it("that was made anew by hand gives way to the stack's own", async () => {
    const containers = Object.values(outputs.containers);
    for (const name of containers) docker("network", "disconnect", network, name);
    docker("network", "rm", network);
    docker("network", "create", "--label", "owner=somebody", network);
    for (const name of containers) docker("network", "connect", network, name);
    const text = await found();
    expect(text).toMatch(
      /network-bridge \(ollama_network_drift\) id expected [0-9a-f]{12} actual [0-9a-f]{12}: it was recreated by hand/,
    );
    // Somebody else's container has joined it: nothing goes before a person has decided about that one.
    const foreign = ["container", "run", "--detach", "--name", foreignContainer, "--network", network];
    docker(
      ...foreign,
      "--entrypoint",
      "node",
      String(project.configured("gatewayBaseImage")),
      "--eval",
      idle,
    );
    const refused = await up();
    const isUntouched = inspect(outputs.containers.gateway, ".State.Running");
    docker("container", "rm", "--force", foreignContainer);
    expect([refused.code, refused.output]).toEqual([
      1,
      expect.stringMatching(
        /must be removed: drift-joined-by-hand to ollama_network_drift\. Disconnect them \(docker network disconnect ollama_network_drift drift-joined-by-hand\), or run: npm run up -- --stack drift --disconnect/,
      ),
    ]);
    expect(isUntouched).toBe(true);
    await repaired();
    expect((await fetch(`${outputs.gatewayUrl}/ready`)).status).toBe(200);
  });
});

describe("the tag of an image that the config names", () => {
  it("which somebody moved is told, and followed by the container, which keeps its models", async () => {
    const { ollama } = outputs.containers;
    const [image, tag] = [project.configured("ollamaImage"), "ollama-stack-drift/ollama:moved"];
    docker("image", "tag", outputs.images.ollama, tag);
    project.configure({ ollamaImage: tag });
    await repaired();
    expect(inspect(ollama, ".Image")).toBe(outputs.images.ollama);
    // Paused as by default while its health is checked, Docker 29 never lets it go on.
    docker("container", "commit", "--pause=false", "--change", "LABEL moved=yes", ollama, tag);
    const moved = imageId(tag);
    expect(await found()).toContain(
      `ollama-image (${tag}) image expected ${short(outputs.images.ollama)} actual ${short(moved)}`,
    );
    const { output } = await repaired();
    expect(inspect(ollama, ".Image")).toBe(moved);
    expect(output).not.toMatch(/: \d+ % of \d/);
    project.configure({ ollamaImage: image });
    await repaired();
    expect(inspect(ollama, ".Image")).toBe(outputs.images.ollama);
    docker("image", "rm", tag);
  });
});

describe("what is gone", () => {
  it("is told and made again: a model", async () => {
    const model = outputs.installedModels[0]?.model ?? "";
    await fetch(`${outputs.ollamaUrl}/api/delete`, { method: "DELETE", body: JSON.stringify({ model }) });
    expect(await found()).toMatch(new RegExp(`model ${model} digest expected [0-9a-f]{12} actual removed`));
  });

  it("containers, the image of one, whose name another has, and the volume with the models in it", async () => {
    const volume = outputs.volumes.models;
    docker("container", "rm", "--force", ...Object.values(outputs.containers));
    const image = imageName(outputs.images.gateway);
    docker("image", "rm", image);
    docker("image", "tag", outputs.images.ollama, image);
    docker("volume", "rm", volume);
    docker("volume", "create", "--label", "owner=somebody", volume);
    const relabelled = await found();
    expect(relabelled).toContain(`ollama-models (${volume}) labels expected none actual owner=somebody`);
    expect(relabelled).toMatch(
      new RegExp(
        `It does not repair this: ollama-models \\(${volume}\\): .*docker volume rm ${volume}; npm run up`,
      ),
    );
    docker("volume", "rm", volume);
    const text = await found();
    expect(text).toContain(
      "gateway-container (ollama-stack-drift-gateway) state expected there actual removed",
    );
    expect(text).toContain(`ollama-models (${volume}) state expected there actual removed`);
    expect(text).toContain(`gateway-image (${image}) image expected`);
    await repaired();
    expect(imageId(image)).not.toBe(outputs.images.ollama);
    expect((await fetch(`${outputs.gatewayUrl}/ready`)).status).toBe(200);
  });
});
