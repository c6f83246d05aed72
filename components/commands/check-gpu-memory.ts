// Run by Pulumi after an update of a server that was given GPUs: loads each model and looks where it sits. Ollama falls
// back to the CPU without a word when it finds no GPU that it can use, or too little memory on it.
import { z } from "zod";
import { formatBytes } from "../../engine/format-bytes.ts";
import { optional, required } from "./lib/env.ts";
import { placeOf } from "./model-install/gpu-memory.ts";
import { OllamaApi } from "./model-install/ollama-api.ts";
import { withTunnel } from "../../engine/with-tunnel.ts";

const server = required("OLLAMA_URL");
const container = required("CONTAINER_NAME");
const keepAlive = optional("LOAD_KEEP_ALIVE");
const words = {
  server: container,
  logs: `docker logs ${container} 2>&1`,
  host: "the engine's host",
};
const models = z
  .array(z.object({ name: z.string(), digest: z.string() }))
  .parse(JSON.parse(required("MODELS")));

async function look(url: string): Promise<string[]> {
  const api = new OllamaApi(url);
  const problems: string[] = [];
  // One after another: two at once would take the memory from each other.
  for (const model of models) {
    const { size, problem } = await placeOf(api, model, words, keepAlive);
    if (problem === undefined) console.log(`${model.name}: ${formatBytes(size)}, all in GPU memory`);
    else problems.push(problem);
  }
  return problems;
}

try {
  const problems = await withTunnel(server, look);
  for (const line of problems) console.error(line);
  if (problems.length > 0) process.exitCode = 1;
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`Ollama at ${server} does not say where its models sit: ${message || "no answer"}`);
  process.exitCode = 1;
}
