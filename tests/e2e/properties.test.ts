import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker as runDocker } from "../../engine/docker-cli.ts";
import { configKeys } from "../../scripts/commands/docs.ts";
import { readDeployment } from "../../scripts/stack/deployment.ts";
import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";
import { readPreviewSteps, removesObject } from "./preview-steps.ts";
import { type Effect, effects, otherImage, stack } from "./property.ts";
import { properties } from "./property-table.ts";
import { monitoringProperties } from "./property-table-monitoring.ts";

// Every config key: a change has the effect that the key's description states in the preview, and its configured effect
// on the engine after the update.
const project = new Project({ stack, ollamaPort: 18108, gatewayPort: 18100 });
// With an edge and an API key, so that their config keys have an effect and a changed API key is not the first one.
project.configure({ edge: "http", gatewayApiKeys: [`ada sha256=${"1".repeat(64)}`] });
const keys = configKeys();
const names = Object.keys(properties);
const containers = ["ollama", "gateway", "edge"].map((which) => `ollama-stack-${stack}-${which}`);

/** The stack's value of a key, or the default. */
const valueOf = (key: string) => project.configured(key) ?? keys[key]?.default;

const original = Object.fromEntries(names.map((key) => [key, project.configured(key)]));
const images = ["ollamaImage", "gatewayBaseImage", "edgeImage"].map((key) => String(valueOf(key)));

const propertyOf = (key: string) => properties[key] ?? expect.fail(key);
/** Whether the stack can use a key's other value. */
const isUsable = (key: string) =>
  propertyOf(key).error === undefined && propertyOf(key).testedIn === undefined;

/** The engine's objects that each kind of change recreates. */
const recreated: Readonly<Record<Effect, readonly string[]>> = {
  "in place": [],
  nothing: [],
  "nothing on Docker": [],
  "another engine": [],
  "replaces Ollama": ["ollama-container"],
  "replaces Ollama's image": ["ollama-container", "ollama-image"],
  "replaces the gateway": ["gateway-container"],
  "rebuilds the gateway": ["gateway-base-image", "gateway-container", "gateway-image"],
  "replaces the edge": ["edge-container"],
  "replaces the edge alone where there are keys": ["edge-container"],
  "replaces the edge's image": ["edge-container", "edge-image"],
  "replaces all images": [
    "edge-container",
    "edge-image",
    "gateway-base-image",
    "gateway-container",
    "gateway-image",
    "ollama-container",
    "ollama-image",
  ],
  "replaces both": ["gateway-container", "ollama-container"],
  "replaces all containers": ["edge-container", "gateway-container", "ollama-container"],
  "replaces the network": ["edge-container", "gateway-container", "network-bridge", "ollama-container"],
};

/** The actual and the expected effect of each key that has one on the engine or in the state. */
async function readEffects(): Promise<{
  actual: Record<string, unknown>;
  expected: Record<string, unknown>;
}> {
  const deployment = await readDeployment(stack, project.env);
  const all: Awaited<ReturnType<typeof readEffects>> = { actual: {}, expected: {} };
  for (const [key, { actual, expected }] of Object.entries(properties)) {
    if (actual === undefined || expected === undefined) continue;
    all.actual[key] = actual(deployment);
    all.expected[key] = expected(valueOf(key) as never);
  }
  return all;
}

async function up(): Promise<void> {
  await project.pulumi("up", "--yes", "--skip-preview");
  // In parallel because all of them only read.
  const [{ actual, expected }, drift] = await Promise.all([
    readEffects(),
    project.run(process.execPath, ["scripts/commands/drift.ts", "--stack", stack]).done,
    project.pulumi("preview", "--expect-no-changes"),
  ]);
  expect(actual).toEqual(expected);
  expect(drift.code, drift.output).toBe(0);
}

const ids = () => containers.map((name) => inspect(name, ".Id"));

/** Sets the other value of every key whose change recreates something, or of every key whose change does not. */
function change({ recreates }: { readonly recreates: boolean }): void {
  const entries = Object.entries(properties)
    .filter(([key, { effect }]) => isUsable(key) && recreated[effect].length > 0 === recreates)
    .map(([key, { value }]) => [key, value(valueOf(key))] as const);
  project.configure(Object.fromEntries(entries));
}

beforeAll(async () => {
  await project.pulumi("stack", "init", stack);
  await Promise.all([
    project.pulumi("up", "--yes", "--skip-preview"),
    ...images.map((image) =>
      runDocker(["build", "--tag", otherImage(image), "-"], {
        input: `FROM ${image}\nLABEL made-for=${stack}\n`,
      }),
    ),
  ]);
});
afterAll(async () => {
  const { resources } = await readDeployment(stack, project.env);
  // A failed test may have left the models retained or protected.
  if (resources.some(({ protect, retain }) => protect || retain)) {
    project.configure({ retainModels: undefined, protectModels: undefined });
    await project.pulumi("up", "--yes", "--skip-preview");
  }
  await project.dispose();
  docker("image", "rm", ...images.map(otherImage));
  expect(leftovers(stack)).toEqual(nothingLeft);
});

it("covers every key that Pulumi.yaml declares", () => {
  // tests/e2e/monitoring.test.ts tests those that need Prometheus.
  const all = [...names, ...Object.keys(monitoringProperties)];
  expect(all.sort()).toEqual(Object.keys(keys).sort());
});

it.each(names)("the description of %s states its effect", (key) => {
  const { value, effect } = propertyOf(key);
  expect(keys[key]?.description).toMatch(effects[effect]);
  expect(value(valueOf(key))).not.toEqual(valueOf(key));
});

// Previews change nothing, so they run in parallel, each with its own config.
describe.concurrent("preview with another", () => {
  const rejected = names.filter((key) => propertyOf(key).error !== undefined);
  const usable = names.filter(isUsable);
  const inPlace = usable.filter((key) => propertyOf(key).effect === "in place");
  // One preview of all keys that recreate the same objects: an object that none of them should recreate shows up, and
  // the changed properties show which of them had an effect. A new image recreates nothing else than its container.
  const groups = Map.groupBy(
    usable.filter((key) => !inPlace.includes(key)),
    (key) => {
      const { effect } = propertyOf(key);
      return /'s image$|^rebuilds/.test(effect) ? "one image" : recreated[effect].join();
    },
  );

  /** Other values of keys, with the keys that they require. */
  const otherValues = (keys: readonly string[]): Record<string, unknown> =>
    Object.fromEntries(
      keys.flatMap((key) => {
        const { value, requires } = propertyOf(key);
        return [...Object.entries(requires ?? {}), [key, value(valueOf(key))]];
      }),
    );
  const preview = (keys: readonly string[]) =>
    readPreviewSteps(project, ...project.otherConfig(keys[0] ?? "none", otherValues(keys)));
  const changesOf = (keys: readonly string[]) => keys.flatMap((key) => propertyOf(key).changes ?? []);

  it.each([...groups.values()].map((keys) => ({ keys, title: keys.join(", ") })))(
    "$title recreates what the description states",
    async ({ keys }) => {
      const steps = await preview(keys);
      const removed = steps.filter(removesObject);
      expect(removed.map(({ name }) => name).sort()).toEqual(
        [...new Set(keys.flatMap((key) => recreated[propertyOf(key).effect]))].sort(),
      );
      if (keys.some((key) => propertyOf(key).effect === "nothing")) expect(steps).toEqual([]);
      if (keys.length === 1) return;
      for (const key of keys) expect(changesOf([key]), key).not.toEqual([]);
      expect(removed.flatMap(({ changes }) => changes).sort()).toEqual(changesOf(keys).sort());
    },
  );

  it("value of all keys that are changed in place recreates nothing", async () => {
    expect(inPlace.length).toBeGreaterThan(10);
    // An update below shows the effect of each of them, or the preview does.
    for (const key of inPlace) expect(propertyOf(key).actual ?? propertyOf(key).changes, key).toBeDefined();
    const steps = await preview(inPlace);
    expect(steps.filter(removesObject)).toEqual([]);
    expect(steps.flatMap(({ changes }) => changes)).toEqual(expect.arrayContaining(changesOf(inPlace)));
  });

  it("value of every key that this stack cannot use reports each of them", async () => {
    expect(rejected.length).toBeGreaterThan(20);
    const config = project.otherConfig("rejected", otherValues(rejected));
    const { code, output } = await project.tryPulumi("preview", ...config);
    expect(code, output).not.toBe(0);
    for (const key of rejected) expect(output).toMatch(propertyOf(key).error ?? expect.fail(key));
  });
});

describe("an update applies the other values", () => {
  it("in place, with the same containers", async () => {
    const before = ids();
    change({ recreates: false });
    await up();
    expect(ids()).toEqual(before);
  });

  it("by recreating containers, images and the network", async () => {
    const before = ids();
    change({ recreates: true });
    await up();
    for (const id of ids()) expect(before).not.toContain(id);
  });

  it("and restores the original ones, with keys removed again", async () => {
    project.configure(original);
    await up();
  });
});
