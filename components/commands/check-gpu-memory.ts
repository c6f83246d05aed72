// Run by Pulumi after an update of a server that was given GPUs: loads each model and looks where it sits. Ollama falls
// back to the CPU without a word when it finds no GPU that it can use, or too little memory on it.
import { z } from "zod";
import { formatBytes } from "../../engine/format-bytes.ts";
import { optional, required } from "./lib/env.ts";
import { type LoadedModel, OllamaApi, OllamaError } from "./model-install/ollama-api.ts";
import { withTunnel } from "../../engine/with-tunnel.ts";

const server = required("OLLAMA_URL");
const container = required("CONTAINER_NAME");
const keepAlive = optional("LOAD_KEEP_ALIVE");
const models = z
  .array(z.object({ name: z.string(), digest: z.string() }))
  .parse(JSON.parse(required("MODELS")));

/** The models as what holds them in memory; of two that differ only in their template, Ollama lists one. */
function holders(loaded: readonly LoadedModel[], digest: string): readonly LoadedModel[] {
  const own = loaded.filter((entry) => entry.digest === digest);
  return own.length > 0 ? own : loaded;
}

/** Why a model that was just loaded is not as it has to be, or undefined. */
function problem(name: string, held: readonly LoadedModel[]): string | undefined {
  if (held.length === 0)
    return `Model ${name} was evicted right after loading: another client of ${container} loaded a different model. Run the update again when ${container} is idle.`;
  const short = held.find(({ size, size_vram: inGpu }) => inGpu < size);
  if (short === undefined) return undefined;
  const { size, size_vram: inGpu } = short;
  const numbers = `${formatBytes(inGpu)} of its ${formatBytes(size)} (/api/ps: size_vram ${String(inGpu)}, size ${String(size)})`;
  if (inGpu === 0)
    return `Model ${name} runs on the CPU, though gpus is set: in GPU memory are ${numbers}. Look at what Ollama found: docker logs ${container} 2>&1 | grep 'inference compute', and whether nvidia-smi works on the engine's host.`;
  return `Model ${name} runs on the CPU in part: in GPU memory are ${numbers}. Look at nvidia-smi on the engine's host for what else is in that memory; a smaller model, ollamaContextLength or ollamaParallel, or more GPUs make it fit.`;
}

async function look(url: string): Promise<string[]> {
  const api = new OllamaApi(url);
  const problems: string[] = [];
  // One after another: two at once would take the memory from each other.
  for (const { name, digest } of models) {
    try {
      await api.load(name, keepAlive);
      const held = holders(await api.loaded(), digest);
      const why = problem(name, held);
      if (why === undefined) console.log(`${name}: ${formatBytes(held[0]?.size ?? 0)}, all in GPU memory`);
      else problems.push(why);
    } catch (error) {
      if (!(error instanceof OllamaError)) throw error;
      problems.push(
        `Model ${name} cannot be loaded: ${error.message}. Look at: docker logs --tail 50 ${container}`,
      );
    }
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
