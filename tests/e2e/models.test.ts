import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker } from "../../test-support/stack/by-hand.ts";
import { describeChangedEntry } from "./changed-model-entry.ts";
import { type ListHistory, modelQueries, wasMissing } from "./model-queries.ts";
import { ModelRegistry } from "./model-registry.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";

// The models of one stack while their registry, their list and their server change, in order.
const project = new Project({ stack: "tags", ollamaPort: 18708, gatewayPort: 18700 });
const ollama = "http://127.0.0.1:18708";
const gateway = "http://127.0.0.1:18700";
const models = modelQueries(ollama, gateway);
const { tags, names, digestOf, listed, showModel, watchLists, chat } = models;
let registry: ModelRegistry;
let first: string;

const up = () => project.pulumi("up", "--yes", "--skip-preview");
const fromRegistry = (name: string, source: string, own: object = {}) => ({
  name,
  source: registry.source(source),
  insecure: true,
  ...own,
});

beforeAll(async () => {
  registry = await ModelRegistry.start();
  const hosts = (project.configured("ollamaHosts") ?? []) as string[];
  project.configure({ ollamaHosts: [...hosts, ...registry.hosts] });
  await project.pulumi("stack", "init", project.stack);
  await up();
  const { installedModels, containers } = await project.outputs();
  first = installedModels[0]?.model ?? "";
  registry.copyModelOf(containers.ollama);
  registry.put("one:1", { tail: "1" });
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

describe("preview rejects with a single error", () => {
  it.concurrent.each<[string, () => { readonly name: string }, RegExp]>([
    [
      "a model that does not fit on the disk",
      () => {
        registry.put("huge:1", { claimedSize: 9e15 });
        return fromRegistry("huge:1", "huge:1");
      },
      /The models need 9000\.0 TB more disk space, but only [\d.]+ [GT]B are free on the engine's disk\. Free some space/,
    ],
    [
      "a pinned digest that differs from the registry's",
      () => fromRegistry("one:1", "one:1", { digest: "0".repeat(64) }),
      /Model one:1: its digest must be 0{64}, but models\.test:\S+ has [0-9a-f]{64}, [\d.]+ [MG]B\. Find out/,
    ],
  ])("%s", async (_what, entry, line) => {
    const added = entry();
    const models = [...(project.configured("models") as object[]), added];
    const otherConfig = project.otherConfig(added.name, { models });
    const { code, output } = await project.tryPulumi("preview", ...otherConfig);
    expect(code, output).not.toBe(0);
    const errors = output
      .slice(output.indexOf("Diagnostics:"))
      .split("\n")
      .filter((text) => text.includes("error:"));
    expect(errors, output).toEqual([expect.stringMatching(line)]);
    expect(output).not.toMatch(/^\s+at .*\.ts:\d+/m);
    expect(await names()).toEqual([first]);
  });
});

describe("a new list of two models with one source, whose registry goes down during the pull", () => {
  let seen: ListHistory & { readonly result: string };

  beforeAll(async () => {
    project.configure({
      pullStallSeconds: 5,
      models: [
        fromRegistry("plain:1", "one:1"),
        fromRegistry("terse:1", "one:1", {
          system: "Be brief.",
          template: "{{ .System }} {{ .Prompt }}",
          parameters: { num_ctx: 1024 },
          retain: true,
        }),
      ],
    });
    registry.bytesPerSecond = registry.weights.size / 4;
    registry.scheduleOutage({ afterBytes: registry.weights.size * 0.6, forMs: 7_000 });
    registry.sent = 0;
    seen = await watchLists(up());
    registry.bytesPerSecond = Number.POSITIVE_INFINITY;
  });

  it("is pulled completely, with progress and retries reported", () => {
    expect(seen.result).toMatch(/: \d+ % of [\d.]+ [MG]B, [\d.]+ [MG]B\/s, \d+ s left/);
    expect(seen.result).toMatch(/no progress for 5 s; retrying in 1 s, downloaded data is kept/);
    expect(seen.result).toMatch(/plain:1 is installed: [\d.]+ [MG]B/);
  });

  it("keeps the data downloaded before the outage", () => {
    expect(registry.sent).toBeGreaterThan(registry.weights.size * 0.9);
    expect(registry.sent).toBeLessThan(registry.weights.size * 1.3);
  });

  it("creates both models, the second without another download", async () => {
    expect(await names()).toEqual(["plain:1", "terse:1"]);
    expect(await showModel("terse:1")).toMatchObject({
      system: "Be brief.",
      template: "{{ .System }} {{ .Prompt }}",
      parameters: expect.stringMatching(/num_ctx\s+1024/) as string,
    });
  });

  it("installs the new models before it removes the old one, and never lists a model that is not installed", () => {
    const both = seen.installed.findIndex((list) => list.includes("plain:1") && list.includes("terse:1"));
    expect(seen.installed.slice(0, both + 1).every((list) => list.includes(first))).toBe(true);
    expect(seen.listed[0]).toEqual([first]);
    expect(seen.notInstalled).toEqual([]);
    expect(seen.listed.every((list) => list.length > 0)).toBe(true);
  });
});

describe("a tag that moved in its registry", () => {
  let old: string | undefined;
  beforeAll(async () => {
    old = await digestOf("plain:1");
    registry.put("one:1", { tail: "1", system: "You are another one now." });
  });

  it("is reported, but not pulled", async () => {
    const message =
      /Model plain:1: its tag moved in the registry, from [0-9a-f]{12} to [0-9a-f]{12}\. The installed version stays/;
    const [preview, update] = await Promise.all([
      project.pulumi("preview", "--expect-no-changes"),
      project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes"),
    ]);
    expect(preview).toMatch(message);
    expect(preview).toMatch(/Installed models: plain:1 \([\d.]+ [MG]B\), terse:1 \([\d.]+ [MG]B\)/);
    expect(update).toMatch(message);
    expect(await digestOf("plain:1")).toBe(old);
  });

  it("is pulled with --update-models, while the model stays available", async () => {
    const run = project.run(process.execPath, [
      "scripts/commands/up.ts",
      ...["--stack", project.stack, "--update-models"],
    ]);
    const { result, installed, notInstalled } = await watchLists(run.done);
    expect(result.code, result.output).toBe(0);
    expect(result.output).toMatch(/its tag moved from [0-9a-f]{12} to [0-9a-f]{12}; it will be pulled/);
    expect(await digestOf("plain:1")).not.toBe(old);
    for (const name of ["plain:1", "terse:1"]) expect(wasMissing(name, installed)).toBe(false);
    expect(notInstalled).toEqual([]);
    expect(await names()).toEqual(["plain:1", "terse:1"]);
    expect(await project.pulumi("preview", "--expect-no-changes")).not.toContain("moved");
  });
});

describe("a GGUF file", () => {
  it("is uploaded, and responds through the gateway with its parameters and system prompt", async () => {
    const { url, digest } = registry.file("4");
    project.configure({
      retainModels: true,
      models: [
        {
          name: "own:1",
          source: registry.weights.path,
          system: "You tell stories.",
          parameters: { num_predict: 7, temperature: 0 },
        },
        { name: "web:1", source: url, digest, retain: false, parameters: { num_predict: 7, temperature: 0 } },
        fromRegistry("plain:1", "one:1"),
      ],
    });
    const text = await up();
    for (const name of ["own:1", "web:1"])
      expect(text).toMatch(new RegExp(`${name} is installed: [\\d.]+ [MG]B`));
    // terse:1, no longer in the list, stays because its entry set retain, although the stack retained none.
    expect(await listed()).toEqual(["own:1", "plain:1", "terse:1", "web:1"]);
    const [, web, own] = await Promise.all([
      project.pulumi("preview", "--expect-no-changes"),
      chat("web:1"),
      chat("own:1"),
    ]);
    expect(web).toMatchObject({ status: 200, tokens: 7 });
    expect((await project.outputs()).installedModels[0]?.model).toBe("own:1");
    expect(own).toMatchObject({
      status: 200,
      finish: "length",
      tokens: 7,
      text: expect.stringMatching(/\w/) as string,
    });
    expect(await showModel("own:1")).toMatchObject({ system: "You tell stories." });
  });
});

describeChangedEntry(project, models);

describe("a model that was replaced under its name", () => {
  it("is reported by preview, and repaired by up", async () => {
    const old = await digestOf("plain:1");
    const body = JSON.stringify({ source: "own:1", destination: "plain:1" });
    await fetch(`${ollama}/api/copy`, { method: "POST", body });
    expect(await project.pulumi("preview")).toMatch(
      /Model plain:1: somebody replaced it on the server: [0-9a-f]{12} is now [0-9a-f]{12}; it will be pulled, [\d.]+ [MG]B \([\d.]+ [MG]B of it already present\)\n[^]*Installed models: own:1 \([\d.]+ [MG]B\)\n/,
    );
    await up();
    expect(await digestOf("plain:1")).toBe(old);
    await project.pulumi("preview", "--expect-no-changes");
  });
});

describe("retained models", () => {
  it("survive destroy, and are not downloaded again by the next up", async () => {
    const digests = async () => new Map((await tags()).map(({ name, digest }) => [name, digest]));
    const before = await digests();
    await project.pulumi("destroy", "--yes", "--skip-preview");
    const volumes = [`ollama-stack-${project.stack}-ollama-models`];
    expect(leftovers(project.stack)).toEqual({ ...nothingLeft, volumes });
    registry.sent = 0;
    expect(await project.pulumi("preview")).toMatch(
      /Model plain:1: it will be pulled, [\d.]+ [MG]B, unless the volume ollama-stack-tags-ollama-models already has it\n[^]*The models need [\d.]+ [MG]B more disk space; [\d.]+ [GT]B are free on the engine's disk\n/,
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
  const volume = "ollama-stack-tags-shared";
  const twin = new Project({ stack: "twin", ollamaPort: 18718, gatewayPort: 18710 });
  const expectResponses = async () => {
    const both = [undefined, "http://127.0.0.1:18710"].map((gateway) => chat("same:1", gateway));
    for (const response of await Promise.all(both)) expect(response).toMatchObject({ status: 200 });
  };
  const expectUnchanged = (...stacks: Project[]) =>
    Promise.all(stacks.map((each) => each.pulumi("preview", "--expect-no-changes")));

  beforeAll(async () => {
    registry.put("two:1", { tail: "2" });
    registry.put("three:1", { tail: "3" });
    const models = [fromRegistry("same:1", "two:1", { parameters: { num_predict: 7 } })];
    for (const each of [project, twin])
      each.configure({ modelVolume: volume, retainModels: false, pullStallSeconds: 5, models });
    twin.configure({ ollamaHosts: project.configured("ollamaHosts") });
    await twin.pulumi("stack", "init", twin.stack);
  });
  afterAll(async () => {
    await twin.dispose();
    expect(leftovers(twin.stack)).toEqual(nothingLeft);
    expect(await names()).toContain("same:1");
  });

  it("must exist", async () => {
    const { code, output } = await twin.tryPulumi("preview");
    expect(code).not.toBe(0);
    expect(output).toMatch(
      /error: The volume \S+ \(modelVolume\) does not exist\. Create it with: docker volume create ollama-stack-tags-shared/,
    );
  });

  it("accepts pulls of the same model by both stacks at once", async () => {
    docker("volume", "create", volume);
    registry.bytesPerSecond = registry.weights.size / 5;
    const both = [project, twin].map((each) => each.tryPulumi("up", "--yes", "--skip-preview"));
    for (const { code, output } of await Promise.all(both)) expect(code, output).toBe(0);
    await Promise.all([expectResponses(), expectUnchanged(project, twin)]);
  });

  it("keeps what one stack has pulled when the other's Ollama restarts or its list changes", async () => {
    twin.configure({
      models: [...(twin.configured("models") as object[]), fromRegistry("three:1", "three:1")],
    });
    registry.sent = 0;
    const run = twin.tryPulumi("up", "--yes", "--skip-preview");
    while (registry.sent < registry.weights.size * 0.5) await sleep(20);
    docker("container", "restart", `ollama-stack-${project.stack}-ollama`);
    const { code, output } = await run;
    expect(code, output).toBe(0);
    expect(registry.sent).toBeLessThan(registry.weights.size * 1.3);
    registry.bytesPerSecond = Number.POSITIVE_INFINITY;
    project.configure({ models: [fromRegistry("three:1", "three:1")] });
    expect(await up()).toMatch(/three:1 is already installed/);
    await Promise.all([expectResponses(), expectUnchanged(twin)]);
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
    const preview = await project.pulumi("preview");
    expect(preview).toMatch(/ollama-container replace/);
    expect(preview).toContain("models are now kept in the volume");
    expect(await up()).toMatch(/three:1 is installed/);
    expect(await names()).toEqual(["three:1"]);
    await project.pulumi("preview", "--expect-no-changes");
    project.configure({ modelVolume: volume });
    await up();
    await expectResponses();
    docker("volume", "rm", `${volume}-2`);
  });
});
