// Run by Pulumi after an update of a server with GPUs: loads each model and checks that it is in GPU memory. Ollama silently
// falls back to the CPU if it finds no usable GPU, or too little memory on it.
import { z } from "zod";
import { formatBytes } from "../../engine/format-bytes.ts";
import { optionalVariable, requiredVariable } from "./lib/env.ts";
import { checkPlacement } from "./model-install/gpu-memory.ts";
import { OllamaApi } from "./model-install/ollama-api.ts";
import { withTunnel } from "../../engine/with-tunnel.ts";

const server = requiredVariable("OLLAMA_URL");
const container = requiredVariable("CONTAINER_NAME");
const keepAlive = optionalVariable("LOAD_KEEP_ALIVE");
const labels = {
  server: container,
  logs: `docker logs ${container} 2>&1`,
  host: "the engine's host",
};
const models = z
  .array(z.object({ name: z.string(), digest: z.string() }))
  .parse(JSON.parse(requiredVariable("MODELS")));

async function checkModels(url: string): Promise<string[]> {
  const api = new OllamaApi(url);
  const problems: string[] = [];
  // Sequentially, because two models would compete for the memory.
  for (const model of models) {
    const { size, problem } = await checkPlacement(api, model, models, labels, keepAlive);
    if (problem === undefined) console.log(`${model.name}: ${formatBytes(size)}, all in GPU memory`);
    else problems.push(problem);
  }
  return problems;
}

try {
  const problems = await withTunnel(server, checkModels);
  for (const line of problems) console.error(line);
  if (problems.length > 0) process.exitCode = 1;
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  console.error(`Cannot check the models' memory of Ollama at ${server}: ${message || "no response"}`);
  process.exitCode = 1;
}
