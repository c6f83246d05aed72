import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { inspect } from "../../test-support/stack/by-hand.ts";
import { FormerCheckout } from "./former-checkout.ts";
import { leftovers, nothingLeft, Project } from "../../test-support/stack/project.ts";
import { previewSteps } from "./preview-steps.ts";

// A stack that an earlier version deployed, updated by the current one in the same checkout.
const former = "a83203ece85debe9c38bfa64e6b6914fbd86a48d";
const project = new Project({ stack: "upgrade", ollamaPort: 18648, gatewayPort: 18640 });
let before: StackOutputs;
let installedAt: string;

const script = (name: string, ...args: string[]) =>
  project.run(process.execPath, [`scripts/commands/${name}.ts`, "--stack", project.stack, ...args]).done;
const containers = ({ replicas, edge }: StackOutputs) => [
  ...replicas.ollama,
  ...replicas.gateway,
  ...(edge === undefined ? [] : [edge.container]),
];
const ids = (outputs: StackOutputs) =>
  Object.fromEntries(containers(outputs).map((name) => [name, inspect(name, ".Id")]));

/** When Ollama wrote the manifest of the only model, which each pull does again. */
async function modelWrittenAt({ ollamaUrl }: StackOutputs): Promise<string> {
  const response = await fetch(`${ollamaUrl}/api/tags`);
  const { models } = (await response.json()) as { models: { name: string; modified_at: string }[] };
  expect(models).toHaveLength(1);
  return models[0]?.modified_at ?? "";
}

beforeAll(async () => {
  // The former version does not know prometheusImage.
  project.configure({ edge: "http", gatewayReplicas: 2, prometheusImage: undefined });
  const checkout = new FormerCheckout(project, former);
  try {
    await project.pulumi("stack", "init", project.stack);
    await project.pulumi("up", "--yes", "--skip-preview");
    before = await project.outputs();
    installedAt = await modelWrittenAt(before);
  } finally {
    checkout.leave();
  }
});
afterAll(async () => {
  await project.dispose();
  expect(leftovers(project.stack)).toEqual(nothingLeft);
});

describe("a stack that an earlier version deployed", () => {
  it("keeps its network, volumes and models in an update that replaces each container", async () => {
    const steps = await previewSteps(project);
    const kept = ["network-bridge", "ollama-models", "edge-data", "ollama-image", "edge-image"];
    for (const name of kept) expect(steps, name).not.toHaveProperty(name);
    expect(
      Object.keys(steps)
        .filter((name) => name.endsWith("-container"))
        .sort(),
    ).toEqual(["edge-container", "gateway-container", "gateway-2-container", "ollama-container"].sort());
    const formerIds = ids(before);
    const { code, output } = await script("up");
    expect(code, output).toBe(0);
    expect(output).toMatch(/Sample response from \S+ after [\d.]+ s:/);
    // No progress of a pull, so none took place.
    expect(output).not.toMatch(/: \d+ % of \d/);
    const after = await project.outputs();
    expect(containers(after)).toEqual(containers(before));
    expect(after.installedModels).toEqual(before.installedModels);
    expect(await modelWrittenAt(after)).toBe(installedAt);
    for (const [name, id] of Object.entries(ids(after))) expect(id, name).not.toBe(formerIds[name]);
    expect({ ...after, images: {} }).toMatchObject({
      gatewayUrl: before.gatewayUrl,
      ollamaUrl: before.ollamaUrl,
      networkName: before.networkName,
      volumes: before.volumes,
    });
  });

  it("needs no further change, and has not drifted", async () => {
    await project.pulumi("preview", "--expect-no-changes");
    const drift = await script("drift");
    expect(drift.code, drift.output).toBe(0);
  });

  it("is destroyed by the current version, and leaves nothing", async () => {
    const { code, output } = await script("destroy", "--yes");
    expect(code, output).toBe(0);
    expect(leftovers(project.stack)).toEqual(nothingLeft);
  });
});
