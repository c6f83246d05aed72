// Run by Pulumi to delete a model. What is gone already is deleted; a server that is gone keeps nobody from
// taking the stack down: then the model stays in the volume, if that stays.
import { required } from "./lib/env.ts";
import { OllamaApi, OllamaError } from "./model-install/ollama-api.ts";
import { withTunnel } from "../../engine/with-tunnel.ts";

const server = required("OLLAMA_URL");
const model = required("MODEL");
try {
  const deleted = await withTunnel(server, (url) => new OllamaApi(url).delete(model));
  console.log(deleted ? `${model} is deleted` : `${model} was not there`);
} catch (error) {
  if (error instanceof OllamaError) {
    console.error(`Ollama at ${server} does not delete ${model}: ${error.message}`);
    process.exitCode = 1;
  } else {
    console.error(`Ollama at ${server} does not respond: ${model} stays in its volume as long as that stays`);
  }
}
