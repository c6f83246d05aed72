import { formatBytes } from "../../../engine/format-bytes.ts";
import { type LoadedModel, type OllamaApi, OllamaError } from "./ollama-api.ts";

/** What a message names. */
export interface PlaceWords {
  readonly server: string;
  /** Command that prints the server's log. */
  readonly logs: string;
  /** Where the GPUs are. */
  readonly host: string;
}

interface Place {
  /** Bytes in memory. */
  readonly size: number;
  /** Why it is not as it has to be; undefined: all of it is in GPU memory. */
  readonly problem: string | undefined;
}

/** The models as what holds them in memory; of two that differ only in their template, Ollama lists one. */
function holders(loaded: readonly LoadedModel[], digest: string): readonly LoadedModel[] {
  const own = loaded.filter((entry) => entry.digest === digest);
  return own.length > 0 ? own : loaded;
}

/** Loads a model and looks where it sits. */
export async function placeOf(
  api: OllamaApi,
  { name, digest }: { readonly name: string; readonly digest: string },
  words: PlaceWords,
  keepAlive: string | undefined,
): Promise<Place> {
  try {
    await api.load(name, keepAlive);
    const held = holders(await api.loaded(), digest);
    return { size: held[0]?.size ?? 0, problem: problemOf(name, held, words) };
  } catch (error) {
    if (!(error instanceof OllamaError)) throw error;
    const problem = `Model ${name} cannot be loaded: ${error.message}. Look at: ${words.logs} | tail -50`;
    return { size: 0, problem };
  }
}

/** Where a model sits that is loaded; undefined when it is not, and nothing is loaded for that. */
export async function placeOfLoaded(
  api: OllamaApi,
  { name, digest }: { readonly name: string; readonly digest: string },
  words: PlaceWords,
): Promise<Place | undefined> {
  const held = (await api.loaded()).filter((entry) => entry.digest === digest);
  return held.length === 0 ? undefined : { size: held[0]?.size ?? 0, problem: problemOf(name, held, words) };
}

/** Why a model that was just loaded is not as it has to be, or undefined. */
function problemOf(
  name: string,
  held: readonly LoadedModel[],
  { server, logs, host }: PlaceWords,
): string | undefined {
  if (held.length === 0)
    return `Model ${name} was evicted right after loading: another client of ${server} loaded a different model. Run the update again when ${server} is idle.`;
  const short = held.find(({ size, size_vram: inGpu }) => inGpu < size);
  if (short === undefined) return undefined;
  const { size, size_vram: inGpu } = short;
  const numbers = `${formatBytes(inGpu)} of its ${formatBytes(size)} (/api/ps: size_vram ${String(inGpu)}, size ${String(size)})`;
  if (inGpu === 0)
    return `Model ${name} runs on the CPU, though gpus is set: in GPU memory are ${numbers}. Look at what Ollama found: ${logs} | grep 'inference compute', and whether nvidia-smi works on ${host}.`;
  return `Model ${name} runs on the CPU in part: in GPU memory are ${numbers}. Look at nvidia-smi on ${host} for what else is in that memory; a smaller model, ollamaContextLength or ollamaParallel, or more GPUs make it fit.`;
}
