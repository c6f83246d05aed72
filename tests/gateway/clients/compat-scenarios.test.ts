import { describe, test } from "vitest";
import { packages } from "../../../compat/clients/packages.ts";
import { startFake, startGateway } from "../../../test-support/gateway/gateway-harness.ts";
import { scriptedReply } from "../../../test-support/fakes/ollama/scripted-replies.ts";

// The rows of docs/compatibility.md that need only npm packages, with a fake Ollama that responds like the matrix's
// model. `npm run compat` runs them with a real Ollama.

const models = { model: "scripted:latest", plainModel: "scripted-plain:latest" };
const allCapabilities = ["completion", "vision", "tools", "insert", "thinking"];

describe.each(packages)("$name works through the gateway", ({ scenarios }) => {
  test.each(Object.entries(scenarios))("%s", async (name, run) => {
    const fake = await startFake();
    const isPlain = name.includes("cannot");
    fake.models = Object.values(models);
    fake.capabilities = isPlain ? ["completion", "tools"] : allCapabilities;
    fake.respondTo((body) => scriptedReply(body, !isPlain));
    const { url } = await startGateway(fake, { LLM_MODEL_ID: models.model });
    await run({ url, ...models });
  });
});
