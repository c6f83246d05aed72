import { afterAll, beforeAll, expect, test } from "vitest";
import type { StackOutputs } from "../../scripts/stack/outputs.ts";
import { curlExamples, shapeOfResponse } from "../../test-support/apis/ollama-curl-examples.ts";
import { Project } from "../../test-support/stack/project.ts";

// What Ollama's documentation shows with curl, sent to Ollama and to the gateway side by side.
const project = new Project({ stack: "curl", ollamaPort: 18638, gatewayPort: 18630 });
let outputs: StackOutputs;

beforeAll(async () => {
  await project.pulumi("stack", "init", project.stack);
  const [first] = project.configured("models") as object[];
  // The examples set no limit; and both runs of one have to generate the same: a response of one token has fewer lines.
  project.configure({ models: [{ ...first, parameters: { num_predict: 32, temperature: 0 } }] });
  await project.pulumi("up", "--yes", "--skip-preview");
  outputs = await project.outputs();
});
afterAll(async () => {
  await project.dispose();
});

const names = { text: "text", vision: "vision", embedding: "embedding" };

test.each(curlExamples(names).map(({ name }, index) => [name, index] as const))(
  "%s is answered as by Ollama itself",
  async (_name, index) => {
    const model = outputs.installedModels[0]?.model ?? "";
    // It can neither see nor only embed; a model that is not there is an example as well.
    const example = curlExamples({ text: model, vision: "llava", embedding: model })[index];
    if (example === undefined) throw new Error("there is no such example");
    const ollama = await shapeOfResponse(outputs.ollamaUrl, example);
    expect(await shapeOfResponse(outputs.gatewayUrl, example)).toEqual(ollama);
  },
);
