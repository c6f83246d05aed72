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
const { names, digestOf, listed, showModel, watchLists, chat } = models;
let registry: ModelRegistry;
let first: string;

const up = () => project.pulumi("up", "--yes", "--skip-preview");

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
        return registry.entry("huge:1");
      },
      /The models need 9000\.0 TB more disk space, but only [\d.]+ [GT]B are free on the engine's disk\. Free some space/,
    ],
    [
      "a pinned digest that differs from the registry's",
      () => registry.entry("one:1", { digest: "0".repeat(64) }),
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
        registry.entry("plain:1", { from: "one:1" }),
        registry.entry("terse:1", {
          from: "one:1",
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
    expect(await project.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes")).toMatch(message);
    expect(await digestOf("plain:1")).toBe(old);
  });

  it("is pulled with --update-models, while the model stays available", async () => {
    const command = ["scripts/commands/up.ts", "--stack", project.stack, "--update-models"];
    const run = project.run(process.execPath, command);
    const { result, installed, notInstalled } = await watchLists(run.done);
    expect(result.code, result.output).toBe(0);
    expect(result.output).toMatch(/its tag moved from [0-9a-f]{12} to [0-9a-f]{12}; it will be pulled/);
    expect(await digestOf("plain:1")).not.toBe(old);
    for (const name of ["plain:1", "terse:1"]) expect(wasMissing(name, installed)).toBe(false);
    expect(notInstalled).toEqual([]);
    expect(await names()).toEqual(["plain:1", "terse:1"]);
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
        registry.entry("plain:1", { from: "one:1" }),
      ],
    });
    const text = await up();
    expect(text).not.toContain("its tag moved");
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
  });
});
