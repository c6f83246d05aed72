import { formatBytes } from "../../../engine/format-bytes.ts";
import { type LoadedModel, type OllamaApi, OllamaError } from "./ollama-api.ts";

/** Names and commands for messages. */
export interface ServerLabels {
  readonly server: string;
  /** The command that prints the server's log. */
  readonly logs: string;
  /** Where the GPUs are. */
  readonly host: string;
}

interface Placement {
  /** Memory in bytes. */
  readonly size: number;
  /** Why it is not completely in GPU memory; undefined if it is. */
  readonly problem: string | undefined;
}

interface CheckedModel {
  readonly name: string;
  readonly digest: string;
}

/**
 * The loaded entry of a model. Of two models that differ only in their template, Ollama lists only one, which is another one
 * of the checked models.
 */
function loadedEntries(
  loaded: readonly LoadedModel[],
  model: CheckedModel,
  checked: readonly CheckedModel[],
): readonly LoadedModel[] {
  const entriesOf = (models: readonly CheckedModel[]) =>
    loaded.filter((entry) =>
      models.some(({ name, digest }) => entry.digest === digest || entry.name === name),
    );
  const own = entriesOf([model]);
  return own.length > 0 ? own : entriesOf(checked);
}

/**
 * Loads a model and checks whether it is in GPU memory.
 *
 * @param checked all models that are checked
 */
export async function checkPlacement(
  api: OllamaApi,
  model: CheckedModel,
  checked: readonly CheckedModel[],
  labels: ServerLabels,
  keepAlive: string | undefined,
): Promise<Placement> {
  const { name } = model;
  try {
    await api.load(name, keepAlive);
    const held = loadedEntries(await api.loaded(), model, checked);
    return { size: held[0]?.size ?? 0, problem: problemOf(name, held, labels) };
  } catch (error) {
    if (!(error instanceof OllamaError)) throw error;
    const problem = `Model ${name} cannot be loaded: ${error.message}. Check the log: ${labels.logs} | tail -50`;
    return { size: 0, problem };
  }
}

/** The same for a loaded model, without loading it; undefined if it is not loaded. */
export async function checkLoadedPlacement(
  api: OllamaApi,
  { name, digest }: CheckedModel,
  labels: ServerLabels,
): Promise<Placement | undefined> {
  const held = (await api.loaded()).filter((entry) => entry.digest === digest);
  return held.length === 0 ? undefined : { size: held[0]?.size ?? 0, problem: problemOf(name, held, labels) };
}

/** Why a model that was just loaded is not completely in GPU memory, or undefined. */
function problemOf(
  name: string,
  held: readonly LoadedModel[],
  { server, logs, host }: ServerLabels,
): string | undefined {
  if (held.length === 0)
    return `Model ${name} was evicted right after loading: another client of ${server} loaded a different model. Run the update again when ${server} is idle.`;
  const partial = held.find(({ size, size_vram: inGpu }) => inGpu < size);
  if (partial === undefined) return undefined;
  const { size, size_vram: inGpu } = partial;
  const numbers = `${formatBytes(inGpu)} of its ${formatBytes(size)} (/api/ps: size_vram ${String(inGpu)}, size ${String(size)})`;
  if (inGpu === 0)
    return `Model ${name} runs on the CPU although gpus is set: GPU memory holds ${numbers}. Check which GPUs Ollama found with ${logs} | grep 'inference compute', and that nvidia-smi works on ${host}.`;
  return `Model ${name} runs partly on the CPU: GPU memory holds ${numbers}. Check with nvidia-smi on ${host} what else uses that memory; or use a smaller model, ollamaContextLength or ollamaParallel, or more GPUs.`;
}
