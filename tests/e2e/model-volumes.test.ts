import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";
import { modelQueries } from "./model-queries.ts";
import { ModelRegistry } from "./model-registry.ts";

// The volumes with the models: kept when a stack is destroyed, shared by two stacks, replaced by another one.
const project = new Project({ stack: "volumes", ollamaPort: 18728, gatewayPort: 18720 });
const { tags, names, chat } = modelQueries("http://127.0.0.1:18728", "http://127.0.0.1:18720");
const ollama = "ollama-stack-volumes-ollama";
let registry: ModelRegistry;

const up = () => project.pulumi("up", "--yes", "--skip-preview");

beforeAll(async () => {
  registry = await ModelRegistry.start();
  const hosts = (project.configured("ollamaHosts") ?? []) as string[];
  project.configure({ ollamaHosts: [...hosts, ...registry.hosts], retainModels: true });
  await project.pulumi("stack", "init", project.stack);
  await up();
  registry.copyModelOf(ollama);
  for (const name of ["plain", "same", "three"]) registry.put(`${name}:1`, { tail: name });
});
afterAll(async () => {
  try {
    await project.dispose();
    for (const volume of leftovers(project.stack).volumes) docker("volume", "rm", volume);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  } finally {
    await registry.stop();
  }
});

describe("retained models", () => {
  it("survive destroy, and are not downloaded again by the next up", async () => {
    project.configure({
      models: [registry.entry("plain:1"), { name: "own:1", source: registry.weights.path }],
    });
    await up();
    const digests = async () => new Map((await tags()).map(({ name, digest }) => [name, digest]));
    const before = await digests();
    await project.pulumi("destroy", "--yes", "--skip-preview");
    const volumes = [`ollama-stack-${project.stack}-ollama-models`];
    expect(leftovers(project.stack)).toEqual({ ...nothingLeft, volumes });
    registry.sent = 0;
    expect(await project.pulumi("preview")).toMatch(
      /Model plain:1: it will be pulled, [\d.]+ [MG]B, unless the volume ollama-stack-volumes-ollama-models already has it\n[^]*The models need [\d.]+ [MG]B more disk space; [\d.]+ [GT]B are free on the engine's disk\n/,
    );
    const text = await up();
    expect(text).toMatch(/plain:1 is already installed/);
    expect(text).not.toMatch(/: \d+ % of \d/);
    expect(registry.sent).toBe(0);
    expect(await digests()).toEqual(before);
    await project.pulumi("preview", "--expect-no-changes");
  });
});

describe("a volume shared by two stacks", () => {
  const volume = "ollama-stack-volumes-shared";
  const twin = new Project({ stack: "twin", ollamaPort: 18718, gatewayPort: 18710 });
  const expectResponses = async () => {
    const both = [undefined, "http://127.0.0.1:18710"].map((gateway) => chat("same:1", gateway));
    for (const response of await Promise.all(both)) expect(response).toMatchObject({ status: 200 });
  };

  beforeAll(async () => {
    const models = [registry.entry("same:1", { parameters: { num_predict: 7 } })];
    for (const each of [project, twin])
      each.configure({ modelVolume: volume, retainModels: false, pullStallSeconds: 5, models });
    twin.configure({ ollamaHosts: project.configured("ollamaHosts") });
    await twin.pulumi("stack", "init", twin.stack);
  });
  afterAll(() => twin.dispose());

  it("must exist", async () => {
    const { code, output } = await twin.tryPulumi("preview");
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /error: The volume \S+ \(modelVolume\) does not exist\. Create it with: docker volume create ollama-stack-volumes-shared/,
    );
  });

  it("accepts pulls of the same model by both stacks at once", async () => {
    docker("volume", "create", volume);
    registry.bytesPerSecond = registry.weights.size / 5;
    const both = [project, twin].map((each) => each.tryPulumi("up", "--yes", "--skip-preview"));
    for (const { code, output } of await Promise.all(both)) expect(code, output).toBe(0);
    await expectResponses();
  });

  it("keeps what one stack has pulled when the other's Ollama restarts or its list changes", async () => {
    twin.configure({ models: [...(twin.configured("models") as object[]), registry.entry("three:1")] });
    registry.sent = 0;
    const run = twin.tryPulumi("up", "--yes", "--skip-preview");
    while (registry.sent < registry.weights.size * 0.5) await sleep(20);
    docker("container", "restart", ollama);
    const { code, output } = await run;
    expect(code, output).toBe(0);
    expect(registry.sent).toBeLessThan(registry.weights.size * 1.3);
    registry.bytesPerSecond = Number.POSITIVE_INFINITY;
    project.configure({ models: [registry.entry("three:1")] });
    expect(await up()).toMatch(/three:1 is already installed/);
    await Promise.all([expectResponses(), twin.pulumi("preview", "--expect-no-changes")]);
  });

  it("keeps its models when one of the stacks is destroyed", async () => {
    await twin.pulumi("destroy", "--yes", "--skip-preview");
    expect(leftovers(twin.stack)).toEqual(nothingLeft);
    expect(await names()).toContain("same:1");
    expect(await chat("three:1", undefined, { max_tokens: 7 })).toMatchObject({ status: 200 });
  });

  it("can be replaced by another volume, together with the container", async () => {
    docker("volume", "create", `${volume}-2`);
    project.configure({ modelVolume: `${volume}-2` });
    const mount = `type=volume,source=${volume}-2,target=/models`;
    const chown = (owner: string) =>
      docker(
        ...["container", "run", "--rm", "--mount", mount, "--entrypoint", "node"],
        ...[String(project.configured("gatewayBaseImage")), "--eval"],
        `fs.chownSync("/models", ${owner}, ${owner})`,
      );
    chown("1000");
    expect((await project.tryPulumi("preview")).output).toMatch(
      /Ollama's container cannot write to the volume \S+-2 \(modelVolume\) \(EACCES\)/,
    );
    chown("0");
    const before = inspect(ollama, ".Id");
    const text = await up();
    expect(text).toContain("models are now kept in the volume");
    expect(text).toMatch(/three:1 is installed/);
    expect(inspect(ollama, ".Id")).not.toBe(before);
    expect(await names()).toEqual(["three:1"]);
  });
});
