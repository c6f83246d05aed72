import { afterAll, beforeAll, expect, test } from "vitest";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { curlExamples, shapeOfResponse } from "../../test-support/apis/ollama-curl-examples.ts";
import { Project } from "../../test-support/stack/project.ts";

// The curl examples of Ollama's documentation, each sent to Ollama and to the gateway.
const project = new Project({ stack: "curl", ollamaPort: 18638, gatewayPort: 18630 });
let outputs: StackOutputs;

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
  const [first] = project.configured("models") as object[];
  // The examples set no limit, and both runs of an example must generate the same: fewer tokens mean fewer lines.
  project.configure({ models: [{ ...first, parameters: { num_predict: 32, temperature: 0 } }] });
  await project.pulumi("up", "--yes", "--skip-preview");
  outputs = await project.outputs();
});
afterAll(() => {
  project.discard();
});

const names = { text: "text", vision: "vision", embedding: "embedding" };

test.each(curlExamples(names).map(({ name }, index) => [name, index] as const))(
  "%s gets the same response as from Ollama itself",
  async (_name, index) => {
    const model = outputs.installedModels[0]?.model ?? "";
    // The model has no vision, so the vision examples use one that is not installed.
    const example = curlExamples({ text: model, vision: "llava", embedding: model })[index];
    if (example === undefined) throw new Error(`there is no example ${String(index)}`);
    const ollama = await shapeOfResponse(outputs.ollamaUrl, example);
    expect(await shapeOfResponse(outputs.gatewayUrl, example)).toEqual(ollama);
  },
);
