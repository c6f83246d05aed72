import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { docker as runDocker } from "../../engine/docker-cli.ts";
import { configKeys } from "../../scripts/commands/docs.ts";
import { readDeployment } from "../../scripts/stack/deployment.ts";
import { docker, inspect } from "../../test-support/stack/by-hand.ts";
import { leftovers, Project } from "../../test-support/stack/project.ts";
import { otherImage, type Promised, promises, stack } from "./property.ts";
import { properties } from "./property-table.ts";
import { monitoringProperties } from "./property-table-monitoring.ts";

// Every config key: preview tells what a change of it does, as its description says, and after the update the engine
// shows what was asked.
const project = new Project({ stack, ollamaPort: 18108, gatewayPort: 18100 });
// With an edge and a key, so that their config keys do something, and another key is not the first.
project.configure({ edge: "http", gatewayApiKeys: [`ada sha256=${"1".repeat(64)}`] });
const keys = configKeys();
const names = Object.keys(properties);
const containers = ["ollama", "gateway", "edge"].map((which) => `ollama-stack-${stack}-${which}`);

/** What the stack has of a key: its own, or the default. */
const has = (key: string) => project.configured(key) ?? keys[key]?.default;

const original = Object.fromEntries(names.map((key) => [key, project.configured(key)]));
const images = ["ollamaImage", "gatewayBaseImage", "edgeImage"].map((key) => String(has(key)));

/** Which of the engine's objects each kind of change makes anew. */
const madeAnew: Readonly<Record<Promised, readonly string[]>> = {
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

/** Names of the resources that the next update would change in place, and of the engine's that it would make anew. */
async function preview(config: readonly string[]): Promise<{ changed: string[]; replaced: string[] }> {
  const text = await project.pulumi("preview", "--json", ...config);
  const { steps } = JSON.parse(text.slice(text.indexOf("{"))) as { steps: Step[] };
  const named = (wanted: (step: Step) => boolean) =>
    [...new Set(steps.filter(wanted).map(({ urn }) => urn.split("::").at(-1) ?? urn))].sort();
  return {
    changed: named(({ op }) => op === "update"),
    replaced: named(
      ({ op, newState, oldState }) =>
        /replace|delete/.test(op) && (newState ?? oldState)?.type.startsWith("docker:") === true,
    ),
  };
}

/** What the stack shows of each key that the engine or the state shows, and what that has to be. */
async function shown(): Promise<{ actual: Record<string, unknown>; expected: Record<string, unknown> }> {
  const deployment = await readDeployment(stack, project.env);
  const actual: Record<string, unknown> = {};
  const expected: Record<string, unknown> = {};
  for (const [key, { look, shown: asked }] of Object.entries(properties)) {
    if (look === undefined || asked === undefined) continue;
    actual[key] = look(deployment);
    expected[key] = asked(has(key) as never);
  }
  return { actual, expected };
}

async function up(): Promise<void> {
  await project.pulumi("up", "--yes", "--skip-preview");
  // They only look.
  const [{ actual, expected }, drift] = await Promise.all([
    shown(),
    project.run(process.execPath, ["scripts/commands/drift.ts", "--stack", stack]).done,
    project.pulumi("preview", "--expect-no-changes"),
  ]);
  expect(actual).toEqual(expected);
  expect(drift.code, drift.output).toBe(0);
}

const ids = () => containers.map((name) => inspect(name, ".Id"));

/** Sets every key whose change makes something anew, or every one whose change does not, to its other value. */
function change({ anew }: { readonly anew: boolean }): void {
  const entries = Object.entries(properties)
    .filter(([, { promised, refused }]) => refused === undefined && madeAnew[promised].length > 0 === anew)
    .map(([key, { value }]) => [key, value(has(key))] as const);
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
  // A test that failed may have left the models so that they would stay.
  if (resources.some(({ protect, retain }) => protect || retain)) {
    project.configure({ retainModels: undefined, protectModels: undefined });
    await project.pulumi("up", "--yes", "--skip-preview");
  }
  await project.dispose();
  docker("image", "rm", ...images.map(otherImage));
  expect(leftovers(stack)).toEqual({ containers: [], networks: [], volumes: [], images: [] });
});

it("is about every key that Pulumi.yaml declares", () => {
  // tests/e2e/monitoring.test.ts has those that need Prometheus.
  const all = [...names, ...Object.keys(monitoringProperties)];
  expect(all.sort()).toEqual(Object.keys(keys).sort());
});

/** What a key is set to, with the keys that it needs. */
function another(key: string): Record<string, unknown> {
  const { value, promised, together } = properties[key] ?? expect.fail(key);
  expect(keys[key]?.description).toMatch(promises[promised]);
  expect(value(has(key))).not.toEqual(has(key));
  return { ...together, [key]: value(has(key)) };
}

/** Whether the check of the config refuses a key by itself. It lists all that it refuses at once. */
function isRefusedByCheck(key: string): boolean {
  const { refused } = properties[key] ?? expect.fail(key);
  return refused?.source.startsWith(`${key} is `) === true && refused.source.includes("but must be");
}

// Previews change nothing: they are made side by side, each with a config of its own.
describe.concurrent("preview says of another", () => {
  // Those whose effect the engine or the state shows are changed by an update, below, and previewed together.
  const isShownInPlace = (key: string) => {
    const { promised, refused, look } = properties[key] ?? expect.fail(key);
    return promised === "in place" && refused === undefined && look !== undefined;
  };
  const inPlace = names.filter(isShownInPlace);
  const refusedTogether = names.filter(isRefusedByCheck);
  const apart = names.filter((key) => ![...inPlace, ...refusedTogether].includes(key));
  const all = (keys: readonly string[]) => Object.assign({}, ...keys.map(another)) as Record<string, unknown>;

  it.each(apart)("%s what its description says", async (key) => {
    const { promised, refused } = properties[key] ?? expect.fail(key);
    const config = project.otherConfig(key, another(key));
    if (refused !== undefined) {
      const { code, output } = await project.tryPulumi("preview", ...config);
      expect(code, output).not.toBe(0);
      expect(output).toMatch(refused);
      return;
    }
    const { changed, replaced } = await preview(config);
    expect(replaced).toEqual(madeAnew[promised]);
    if (promised === "in place") expect(changed).not.toEqual([]);
    if (promised === "nothing") expect(changed).toEqual([]);
  });

  it("value of the keys that this stack cannot have that each is refused", async () => {
    expect(refusedTogether.length).toBeGreaterThan(20);
    const config = project.otherConfig("refused", all(refusedTogether));
    const { code, output } = await project.tryPulumi("preview", ...config);
    expect(code, output).not.toBe(0);
    for (const key of refusedTogether) expect(output).toMatch(properties[key]?.refused ?? expect.fail(key));
  });

  it("value of all others that nothing is made anew", async () => {
    expect(inPlace.length).toBeGreaterThan(10);
    const { changed, replaced } = await preview(project.otherConfig("in-place", all(inPlace)));
    expect(replaced).toEqual([]);
    expect(changed).not.toEqual([]);
  });
});

describe("an update does it", () => {
  it("in place, with the same containers", async () => {
    const before = ids();
    change({ anew: false });
    await up();
    expect(ids()).toEqual(before);
  });

  it("by containers, image and network made anew", async () => {
    const before = ids();
    change({ anew: true });
    await up();
    for (const id of ids()) expect(before).not.toContain(id);
  });

  it("back again, values that were taken away included", async () => {
    project.configure(original);
    await up();
  });
});
