// Run by Pulumi to create or change a model: installs it unless it is up to date. Prints progress to stderr and the result as
// JSON to stdout, which Pulumi passes to the next run.
import { parseRecord } from "../config/models/model-record.ts";
import type { ModelChanges } from "../config/models/models.ts";
import { optionalVariable, requiredVariable } from "./lib/env.ts";
import { installModel } from "./model-install/install.ts";
import { OllamaApi } from "./model-install/ollama-api.ts";
import { withTunnel } from "../../engine/with-tunnel.ts";

const server = requiredVariable("OLLAMA_URL");
const desired = {
  name: requiredVariable("MODEL"),
  source: requiredVariable("MODEL_SOURCE"),
  insecure: requiredVariable("MODEL_INSECURE") === "true",
  digest: optionalVariable("MODEL_DIGEST"),
  changes: JSON.parse(optionalVariable("MODEL_CHANGES") ?? "{}") as ModelChanges,
  keepSource: requiredVariable("MODEL_KEEP_SOURCE") === "true",
  request: optionalVariable("MODEL_REQUEST"),
};
const options = {
  stallSeconds: Number(requiredVariable("PULL_STALL_SECONDS")),
  diskFull: {
    problem: "the disk of the Docker engine is full",
    remedy: "Free some space (docker system df shows the usage) and run the update again",
  },
  log: (line: string) => {
    console.error(line);
  },
};
try {
  const before = parseRecord(process.env["PULUMI_COMMAND_STDOUT"]);
  const record = await withTunnel(server, (url) =>
    installModel(new OllamaApi(url), desired, before, options),
  );
  console.log(JSON.stringify(record));
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`Model ${desired.name}: ${message || `Ollama at ${server} does not respond`}`);
  process.exitCode = 1;
}
