import { setTimeout as sleep } from "node:timers/promises";
import { OllamaError, type InstalledModel, type OllamaApi, type PullLine } from "./ollama-api.ts";

export interface PullOptions {
  /** Name that the model gets. */
  readonly model: string;
  /** What is pulled: the name itself, or a reference into another registry. */
  readonly source: string;
  readonly insecure: boolean;
  /** Whether the source's own name stays beside the model's, because somebody asked for it too. */
  readonly keepSource: boolean;
  readonly stallSeconds: number;
  readonly say: (line: string) => void;
}

/** The pull cannot succeed; the message says why and what to do. */
export class PullError extends Error {
  override readonly name = "PullError";
}

const maxAttemptsWithoutProgress = 5;
const stepPercent = 5;

/** Makes sure that a model is installed under its name, and returns it as Ollama lists it. */
export async function ensureModel(api: OllamaApi, options: PullOptions): Promise<InstalledModel> {
  const { model, source, say } = options;
  const present = await api.installed(model);
  if (present !== undefined) {
    say(`${model} is there already (${formatBytes(present.size)})`);
    return present;
  }
  const progress = new Progress(say);
  for (let failures = 0; ;) {
    const before = progress.bytes;
    try {
      await pullOnce(api, options, progress);
      break;
    } catch (error) {
      const reason = hopeless(error, options);
      if (reason !== undefined) throw new PullError(reason);
      failures = progress.bytes > before ? 1 : failures + 1;
      const why = error instanceof Error ? error.message : String(error);
      if (failures >= maxAttemptsWithoutProgress) {
        throw new PullError(
          `pulling ${source} failed ${String(failures)} times without any progress, the last time with: ${why}. ` +
            `What was loaded is kept; run the update again when the registry can be reached.`,
        );
      }
      const seconds = 2 ** (failures - 1);
      say(`${source}: ${why}; trying again in ${String(seconds)} s, what was loaded is kept`);
      await sleep(seconds * 1000);
    }
  }
  const installed = await api.installed(model);
  if (installed === undefined)
    throw new PullError(`Ollama says that it pulled ${source}, but does not list ${model}`);
  say(`${model} is installed: ${formatBytes(installed.size)}, digest ${installed.digest.slice(0, 12)}`);
  return installed;
}

async function pullOnce(api: OllamaApi, options: PullOptions, progress: Progress): Promise<void> {
  const { model, source } = options;
  const stalled = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const wait = (seconds: number) => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      stalled.abort(new Error(`no progress for ${String(seconds)} s`));
    }, seconds * 1000);
  };
  let last = "";
  try {
    wait(options.stallSeconds);
    for await (const line of api.pull(source, options.insecure, stalled.signal)) {
      // Ollama repeats a line many times a second even when nothing comes in.
      if (progress.take(line)) wait(options.stallSeconds);
      else if (line.digest === undefined && line.status !== last) wait(options.stallSeconds * 10);
      last = line.status ?? last;
    }
  } catch (error) {
    throw stalled.signal.aborted ? (stalled.signal.reason as Error) : error;
  } finally {
    clearTimeout(timer);
  }
  if (last !== "success") throw new Error("the connection to Ollama dropped");
  if (source === model) return;
  try {
    await api.copy(source, model);
  } catch (error) {
    // Another model of the same source may have just taken it away: what was loaded is still there.
    throw new Error(
      `copying ${source} to ${model} failed: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  if (!options.keepSource) await api.delete(source);
}

/** Says why trying again is no use, or undefined. */
function hopeless(error: unknown, { source }: PullOptions): string | undefined {
  if (!(error instanceof OllamaError)) return undefined;
  const text = error.message;
  if (/file does not exist|manifest unknown|name unknown|not found/i.test(text)) {
    return `the registry does not have the model ${source} (it says: ${text}). Check its name and tag, then: pulumi config set --path 'models[0].name' NAME`;
  }
  if (/no space left on device/i.test(text)) {
    return `the disk of the Docker engine is full (Ollama says: ${text}). Free some space (docker system df shows what is used) and run the update again; what was loaded is kept.`;
  }
  if (/insecure|server gave HTTP response to HTTPS client/i.test(text)) {
    return `the registry of ${source} speaks plain HTTP (Ollama says: ${text}). If that is meant, set insecure: true for the model`;
  }
  if (error.status === 400) return `Ollama refuses to pull ${source}: ${text}`;
  return undefined;
}

/** Turns the lines of a pull into one line about every 5 % of a layer, and knows how far it is. */
class Progress {
  readonly #say: (line: string) => void;
  readonly #layers = new Map<string, { completed: number; step: number }>();
  #status = "";
  #started = performance.now();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Bytes that are there, of all layers seen. */
  get bytes(): number {
    let sum = 0;
    for (const { completed } of this.#layers.values()) sum += completed;
    return sum;
  }

  /** Takes a line; true when it shows that more has come in. */
  take({ status, digest, total, completed }: PullLine): boolean {
    if (digest === undefined || total === undefined) {
      if (status !== undefined && status !== this.#status) this.#say(status);
      this.#status = status ?? this.#status;
      return false;
    }
    const layer = this.#layers.get(digest) ?? { completed: -1, step: -1 };
    const now = completed ?? 0;
    const more = now > layer.completed;
    const step = Math.floor(((now / total) * 100) / stepPercent);
    if (step > layer.step) {
      const seconds = ((performance.now() - this.#started) / 1000).toFixed(0);
      this.#say(
        `${digest.replace("sha256:", "").slice(0, 12)}: ${String(step * stepPercent)} % of ${formatBytes(total)}, ${seconds} s`,
      );
    }
    this.#layers.set(digest, { completed: Math.max(now, layer.completed), step: Math.max(step, layer.step) });
    return more;
  }
}

/** 1234567 as "1.2 MB". */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? String(value) : value.toFixed(1)} ${units[unit] ?? ""}`;
}
