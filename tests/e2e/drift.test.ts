import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readDeployment } from "../../scripts/stack/deployment.ts";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { docker, inspect, recreate } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";
import { expectApplied } from "./applied-inputs.ts";
import { DriftCommands } from "./drift-commands.ts";
import { foreignContainerOf } from "./refused-updates.ts";

// npm run drift finds manual changes, and npm run up repairs them.
const project = new Project({ stack: "drift", ollamaPort: 18408, gatewayPort: 18400 });
const network = "ollama_network_drift";
const foreignContainer = foreignContainerOf(project.stack);
/** A tag of Ollama's image, which one of the tests moves. */
const movingTag = "ollama-stack-drift/ollama:moved";
let outputs: StackOutputs;

const commands = new DriftCommands(project);

/** This stack's tag of an image, which may also have tags of other stacks. */
const imageName = (id: string) =>
  (JSON.parse(docker("image", "inspect", "--format", "{{json .RepoTags}}", id)) as string[]).find((name) =>
    name.includes(`-${project.stack}-`),
  ) ?? expect.fail(id);
const imageId = (name: string) => docker("image", "inspect", "--format", "{{.Id}}", name);
const short = (id: string) => id.replace("sha256:", "").slice(0, 12);

beforeAll(async () => {
  const image = String(project.configured("ollamaImage"));
  // With released tools, nothing has pulled it yet.
  if (docker("image", "ls", "--quiet", image) === "") docker("image", "pull", image);
  docker("image", "tag", image, movingTag);
  project.configure({ ollamaImage: movingTag });
  await project.pulumi("stack", "init", project.stack);
});
afterAll(async () => {
  await project.dispose();
  docker("image", "rm", movingTag);
  expect(leftovers(project.stack)).toEqual(nothingLeft);
});

describe("npm run drift", () => {
  it("reports a stack that was never brought up as not deployed", async () => {
    const { code, output } = await commands.drift();
    expect(code).toBe(1);
    expect(output).toMatch(/error: the stack drift is not deployed; deploy it with: npm run up/);
  });

  it("reports in one line that nothing drifted, and exits with 0", async () => {
    expect((await commands.up()).code).toBe(0);
    const [read, { code, output }] = await Promise.all([project.outputs(), commands.drift()]);
    outputs = read;
    expect(code, output).toBe(0);
    expect(output).toMatch(
      /^no drift: the 7 containers, networks, volumes and images of drift are as deployed$/m,
    );
  });

  it("need not compare immutable settings: the engine has applied every input of each container", async () => {
    const { resources } = await readDeployment(project.stack, project.env);
    const containers = resources.filter(({ type }) => type === "docker:index/container:Container");
    expect(containers.length).toBeGreaterThanOrEqual(2);
    for (const { inputs } of containers) expectApplied(inputs);
  });
});

/**
 * Resolves just after a health check of a container. Docker 29 cannot unpause a container that was paused during a
 * health check: the engine waits for the check's process, which is paused, too.
 */
async function waitForHealthCheck(container: string): Promise<void> {
  const last = () => (inspect(container, ".State.Health.Log") as { readonly Start: string }[]).at(-1)?.Start;
  const before = last();
  await expect.poll(last, { interval: 100 }).not.toBe(before);
}

describe("running containers that were changed", () => {
  it("are reported by property, and restored in place where possible", async () => {
    const { ollama, gateway } = outputs.containers;
    const before = inspect(ollama, ".Id");
    const image = imageName(outputs.images.gateway);
    docker("image", "tag", outputs.images.ollama, image);
    docker("container", "update", "--memory", "1g", "--memory-swap", "1g", "--pids-limit", "77", ollama);
    docker("container", "update", "--restart", "no", ollama);
    await waitForHealthCheck(ollama);
    docker("container", "pause", ollama);
    docker("network", "disconnect", network, gateway);
    docker("network", "connect", "bridge", gateway);
    const text = await commands.expectDrift();
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
    await commands.repair();
    await project.pulumi("preview", "--expect-no-changes");
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
  it("is detected by its ID and its limits, and replaced by the stack's own", async () => {
    await recreate(outputs.containers.gateway, (creation) => {
      creation.Env = creation.Env.map((line) => line.replace(/^LOG_LEVEL=.*/, "LOG_LEVEL=debug")).concat(
        "SMTP=planted-secret",
      );
      creation.HostConfig.Binds = ["/etc:/host:ro"];
      creation.HostConfig.CpuShares = 100;
    });
    const text = await commands.expectDrift();
    expect(text).toMatch(/ id expected [0-9a-f]{12} actual [0-9a-f]{12}: it was recreated by hand/);
    expect(text).toContain("CPU shares expected default actual 100");
    expect(text).not.toContain("planted-secret");
    // A rejected update removes nothing.
    const recreated = inspect(outputs.containers.gateway, ".Id");
    project.configure({ gatewayLogLevel: "loud" });
    const rejected = await project.run(process.execPath, ["scripts/commands/up.ts"]).done;
    expect(rejected.code).not.toBe(0);
    expect(rejected.output).toContain('gatewayLogLevel is "loud", but must be');
    expect(inspect(outputs.containers.gateway, ".Id")).toBe(recreated);
    project.configure({ gatewayLogLevel: undefined });
    const { output } = await commands.repair();
    expect(output).not.toContain("planted-secret");
    expect(inspect(outputs.containers.gateway, ".Config.Env")).toContain("LOG_LEVEL=info");
    expect(inspect(outputs.containers.gateway, ".Mounts")).toEqual([]);
  });
});

describe("a network", () => {
  it("that was recreated by hand is replaced by the stack's own", async () => {
    const containers = Object.values(outputs.containers);
    for (const name of containers) docker("network", "disconnect", network, name);
    docker("network", "rm", network);
    docker("network", "create", "--label", "owner=somebody", network);
    for (const name of containers) docker("network", "connect", network, name);
    const text = await commands.expectDrift();
    expect(text).toMatch(
      /network-bridge \(ollama_network_drift\) id expected [0-9a-f]{12} actual [0-9a-f]{12}: it was recreated by hand/,
    );
    // A foreign container has joined it: nothing is removed before the user has decided about that container.
    const image = String(project.configured("gatewayBaseImage"));
    docker(
      ...["container", "run", "--detach", "--name", foreignContainer, "--network", network],
      ...["--entrypoint", "node", image, "--eval", "setInterval(() => {}, 1000)"],
    );
    const rejected = await commands.up();
    const isUntouched = inspect(outputs.containers.gateway, ".State.Running");
    docker("container", "rm", "--force", foreignContainer);
    expect([rejected.code, rejected.output]).toEqual([
      1,
      expect.stringMatching(
        /must be removed: drift-joined-by-hand to ollama_network_drift\. Disconnect them \(docker network disconnect ollama_network_drift drift-joined-by-hand\), or run: npm run up -- --stack drift --disconnect/,
      ),
    ]);
    expect(isUntouched).toBe(true);
    await commands.repair();
    expect((await fetch(`${outputs.gatewayUrl}/ready`)).status).toBe(200);
  });
});

describe("the tag of a configured image", () => {
  it("is reported when it has moved, and followed by the container, which keeps its models", async () => {
    const { ollama } = outputs.containers;
    expect(inspect(ollama, ".Image")).toBe(outputs.images.ollama);
    // With the default pause during a health check, Docker 29 would never unpause the container.
    docker("container", "commit", "--pause=false", "--change", "LABEL moved=yes", ollama, movingTag);
    const moved = imageId(movingTag);
    expect(await commands.expectDrift()).toContain(
      `ollama-image (${movingTag}) image expected ${short(outputs.images.ollama)} actual ${short(moved)}`,
    );
    const { output } = await commands.repair();
    expect(inspect(ollama, ".Image")).toBe(moved);
    expect(output).not.toMatch(/: \d+ % of \d/);
  });
});

describe("removed objects are reported and restored", () => {
  it("a model", async () => {
    const model = outputs.installedModels[0]?.model ?? "";
    await fetch(`${outputs.ollamaUrl}/api/delete`, { method: "DELETE", body: JSON.stringify({ model }) });
    expect(await commands.expectDrift()).toMatch(
      new RegExp(`model ${model} digest expected [0-9a-f]{12} actual removed`),
    );
  });

  it("containers, an image whose tag another image has, and the volume with the models", async () => {
    const volume = outputs.volumes.models;
    docker("container", "rm", "--force", ...Object.values(outputs.containers));
    const image = imageName(outputs.images.gateway);
    docker("image", "rm", image);
    docker("image", "tag", outputs.images.ollama, image);
    docker("volume", "rm", volume);
    docker("volume", "create", "--label", "owner=somebody", volume);
    const relabelled = await commands.expectDrift();
    expect(relabelled).toContain(`ollama-models (${volume}) labels expected none actual owner=somebody`);
    expect(relabelled).toMatch(
      new RegExp(
        `It does not repair this: ollama-models \\(${volume}\\): .*docker volume rm ${volume}; npm run up`,
      ),
    );
    docker("volume", "rm", volume);
    const text = await commands.expectDrift();
    expect(text).toContain(
      "gateway-container (ollama-stack-drift-gateway) state expected there actual removed",
    );
    expect(text).toContain(`ollama-models (${volume}) state expected there actual removed`);
    expect(text).toContain(`gateway-image (${image}) image expected`);
    await commands.repair();
    await project.pulumi("preview", "--expect-no-changes");
    expect(imageId(image)).not.toBe(outputs.images.ollama);
    expect((await fetch(`${outputs.gatewayUrl}/ready`)).status).toBe(200);
  });
});
