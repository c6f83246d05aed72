// Run by Pulumi to delete a model. Succeeds if the model does not exist. Succeeds too if the server is gone, so that the stack
// can be destroyed; the model then stays in its volume, if that is kept.
import { setTimeout as sleep } from "node:timers/promises";
import { docker, EngineError, queryLines } from "../../engine/docker-cli.ts";
import { withTunnel } from "../../engine/with-tunnel.ts";
import { optionalVariable, requiredVariable } from "./lib/env.ts";
import { OllamaApi, OllamaError } from "./model-install/ollama-api.ts";

const attempts = 5;
const retryMs = 100;
const deleteWithinMs = 120_000;

const server = requiredVariable("OLLAMA_URL");
const model = requiredVariable("MODEL");
const container = optionalVariable("OLLAMA_CONTAINER");

/** Reports that Ollama, or its volume, is no longer there. */
function reportKept(why: string): void {
  console.error(`${why}: ${model} stays in its volume for as long as the volume exists`);
}

function report(deleted: boolean): void {
  console.log(deleted ? `${model} is deleted` : `${model} did not exist`);
}

/**
 * Deletes it in the stack's own container. The URL in the state is the one of the last update, where another server may respond
 * by now.
 */
async function deleteInContainer(name: string, volume: string): Promise<void> {
  const [status, ...mounted] = await inspect(name);
  if (status !== "running") {
    reportKept(`The container ${name} is not running`);
    return;
  }
  if (!mounted.includes(volume)) {
    reportKept(`The container ${name} has another volume than ${volume}`);
    return;
  }
  for (let attempt = 1; ; attempt += 1) {
    try {
      await docker(["exec", name, "ollama", "rm", model], { withinMs: deleteWithinMs });
      report(true);
      return;
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      if (/not found/i.test(error.message)) {
        report(attempt > 1);
        return;
      }
      // Of two concurrent deletions, Ollama fails the one that finds a folder already removed by the other.
      if (attempt === attempts) throw error;
      await sleep(attempt * retryMs);
    }
  }
}

/** The state of a container and the names of its volumes; empty if it does not exist. */
async function inspect(name: string): Promise<string[]> {
  const format = "{{.State.Status}}\n{{range .Mounts}}{{println .Name}}{{end}}";
  try {
    return await queryLines(["container", "inspect", "--format", format, name]);
  } catch (error) {
    if (error instanceof EngineError && /no such container/i.test(error.message)) return [];
    throw error;
  }
}

/** The same by way of the URL, for a state of an earlier version. */
async function deleteAtUrl(): Promise<void> {
  try {
    report(await withTunnel(server, (url) => new OllamaApi(url).delete(model)));
  } catch (error) {
    if (error instanceof OllamaError) throw error;
    reportKept(`Ollama at ${server} does not respond`);
  }
}

try {
  await (container === undefined
    ? deleteAtUrl()
    : deleteInContainer(container, requiredVariable("OLLAMA_VOLUME")));
} catch (error) {
  if (!(error instanceof OllamaError || error instanceof EngineError)) throw error;
  console.error(`Ollama at ${container ?? server} cannot delete ${model}: ${error.message}`);
  process.exitCode = 1;
}
