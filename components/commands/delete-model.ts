// Run by Pulumi to delete a model. Succeeds if the model does not exist. Succeeds too if the server is gone, so that the stack
// can be destroyed; the model then stays in its volume, if that is kept.
import { requiredVariable } from "./lib/env.ts";
import { OllamaApi, OllamaError } from "./model-install/ollama-api.ts";
import { withTunnel } from "../../engine/with-tunnel.ts";

const server = requiredVariable("OLLAMA_URL");
const model = requiredVariable("MODEL");
try {
  const deleted = await withTunnel(server, (url) => new OllamaApi(url).delete(model));
  console.log(deleted ? `${model} is deleted` : `${model} did not exist`);
} catch (error) {
  if (error instanceof OllamaError) {
    console.error(`Ollama at ${server} cannot delete ${model}: ${error.message}`);
    process.exitCode = 1;
  } else {
    console.error(
      `Ollama at ${server} does not respond: ${model} stays in its volume for as long as the volume exists`,
    );
  }
}
