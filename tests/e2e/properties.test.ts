import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker as runDocker } from "../../engine/docker-cli.ts";
import { configKeys } from "../../scripts/commands/docs.ts";
import { readDeployment } from "../../scripts/stack/deployment.ts";
import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { leftovers, Project } from "../../test-support/stack/project.ts";
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

interface Step {
  readonly op: string;
  readonly urn: string;
  readonly newState?: { readonly type: string };
  readonly oldState?: { readonly type: string };
}

/** Names of the resources that the next update would change in place, and of the engine's objects it would recreate. */
async function preview(config: readonly string[]): Promise<{ changed: string[]; replaced: string[] }> {
  const text = await project.pulumi("preview", "--json", ...config);
  const { steps } = JSON.parse(text.slice(text.indexOf("{"))) as { steps: Step[] };
  const namesOf = (matches: (step: Step) => boolean) =>
    [...new Set(steps.filter(matches).map(({ urn }) => urn.split("::").at(-1) ?? urn))].sort();
  return {
    changed: namesOf(({ op }) => op === "update"),
    replaced: namesOf(
      ({ op, newState, oldState }) =>
        /replace|delete/.test(op) && (newState ?? oldState)?.type.startsWith("docker:") === true,
    ),
  };
}

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
    .filter(([, { effect, error }]) => error === undefined && recreated[effect].length > 0 === recreates)
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
  expect(leftovers(stack)).toEqual({ containers: [], networks: [], volumes: [], images: [] });
});

it("covers every key that Pulumi.yaml declares", () => {
  // tests/e2e/monitoring.test.ts tests those that need Prometheus.
  const all = [...names, ...Object.keys(monitoringProperties)];
  expect(all.sort()).toEqual(Object.keys(keys).sort());
});

/** Another value of a key, with the keys that it requires. */
function otherValue(key: string): Record<string, unknown> {
  const { value, effect, requires } = properties[key] ?? expect.fail(key);
  expect(keys[key]?.description).toMatch(effects[effect]);
  expect(value(valueOf(key))).not.toEqual(valueOf(key));
  return { ...requires, [key]: value(valueOf(key)) };
}

/** Whether config validation, which reports all errors at once, rejects the key's other value. */
function isRejectedByValidation(key: string): boolean {
  const { error } = properties[key] ?? expect.fail(key);
  return error?.source.startsWith(`${key} is `) === true && error.source.includes("but must be");
}

// Previews change nothing, so they run in parallel, each with its own config.
describe.concurrent("preview with another", () => {
  // Keys with a readable effect are changed by an update below, so that one preview of them all is enough.
  const isReadableInPlace = (key: string) => {
    const { effect, error, actual } = properties[key] ?? expect.fail(key);
    return effect === "in place" && error === undefined && actual !== undefined;
  };
  const inPlace = names.filter(isReadableInPlace);
  const rejected = names.filter(isRejectedByValidation);
  const separate = names.filter((key) => ![...inPlace, ...rejected].includes(key));
  const all = (keys: readonly string[]) =>
    Object.assign({}, ...keys.map(otherValue)) as Record<string, unknown>;

  it.each(separate)("%s shows the effect that its description states", async (key) => {
    const { effect, error } = properties[key] ?? expect.fail(key);
    const config = project.otherConfig(key, otherValue(key));
    if (error !== undefined) {
      const { code, output } = await project.tryPulumi("preview", ...config);
      expect(code, output).not.toBe(0);
      expect(output).toMatch(error);
      return;
    }
    const { changed, replaced } = await preview(config);
    expect(replaced).toEqual(recreated[effect]);
    if (effect === "in place") expect(changed).not.toEqual([]);
    if (effect === "nothing") expect(changed).toEqual([]);
  });

  it("value of every key that this stack cannot use reports each of them", async () => {
    expect(rejected.length).toBeGreaterThan(20);
    const config = project.otherConfig("rejected", all(rejected));
    const { code, output } = await project.tryPulumi("preview", ...config);
    expect(code, output).not.toBe(0);
    for (const key of rejected) expect(output).toMatch(properties[key]?.error ?? expect.fail(key));
  });

  it("value of all other keys recreates nothing", async () => {
    expect(inPlace.length).toBeGreaterThan(10);
    const { changed, replaced } = await preview(project.otherConfig("in-place", all(inPlace)));
    expect(replaced).toEqual([]);
    expect(changed).not.toEqual([]);
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
