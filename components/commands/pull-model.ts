// Run by Pulumi to create or change a model: installs it unless it is there as it is wanted. Progress goes to stderr,
// the result to stdout as JSON, which Pulumi hands over the next time.
import { parseRecord } from "../models/record.ts";
import type { ModelChanges } from "../models/schema.ts";
import { optional, required } from "./environment.ts";
import { installModel } from "./install.ts";
import { OllamaApi } from "./ollama-api.ts";

const api = new OllamaApi(required("OLLAMA_URL"));
const wanted = {
  name: required("MODEL"),
  source: required("MODEL_SOURCE"),
  insecure: required("MODEL_INSECURE") === "true",
  digest: optional("MODEL_DIGEST"),
  changes: JSON.parse(optional("MODEL_CHANGES") ?? "{}") as ModelChanges,
  keepSource: required("MODEL_KEEP_SOURCE") === "true",
  request: optional("MODEL_REQUEST"),
};
const options = {
  stallSeconds: Number(required("PULL_STALL_SECONDS")),
  say: (line: string) => {
    console.error(line);
  },
};
try {
  const before = parseRecord(process.env["PULUMI_COMMAND_STDOUT"]);
  console.log(JSON.stringify(await installModel(api, wanted, before, options)));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`Model ${wanted.name}: ${message || `Ollama at ${api.url} does not answer`}`);
  process.exitCode = 1;
}
