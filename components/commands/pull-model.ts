// Run by Pulumi to create a model: pulls it unless it is there. Progress goes to stderr, the result to stdout as JSON.
import { required } from "./environment.ts";
import { OllamaApi } from "./ollama-api.ts";
import { ensureModel } from "./pull.ts";

const api = new OllamaApi(required("OLLAMA_URL"));
try {
  const installed = await ensureModel(api, {
    model: required("MODEL"),
    source: required("MODEL_SOURCE"),
    insecure: required("MODEL_INSECURE") === "true",
    keepSource: required("MODEL_KEEP_SOURCE") === "true",
    stallSeconds: Number(required("PULL_STALL_SECONDS")),
    say: (line) => {
      console.error(line);
    },
  });
  console.log(JSON.stringify(installed));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`Model ${required("MODEL")}: ${message || `Ollama at ${api.url} does not answer`}`);
  process.exitCode = 1;
}
