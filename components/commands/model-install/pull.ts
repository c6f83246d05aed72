import { OllamaError, type OllamaApi } from "./ollama-api.ts";
import { InstallError } from "./retry.ts";
import type { Progress } from "./progress.ts";
import { IdleTimeout } from "./idle-timeout.ts";
import type { DesiredModel, InstallOptions, DiskFullMessage } from "./desired-model.ts";

/** Pulls a model's source once. Ollama keeps the data of earlier attempts. */
export async function pullOnce(
  api: OllamaApi,
  { name, source, insecure }: DesiredModel,
  progress: Progress,
  { stallSeconds, diskFull }: InstallOptions,
): Promise<void> {
  const idle = new IdleTimeout();
  let last = "";
  try {
    idle.arm(stallSeconds);
    for await (const line of api.pull(source, insecure, idle.signal)) {
      // Ollama repeats a line many times a second even without progress.
      if (progress.update(line)) idle.arm(stallSeconds);
      else if (line.digest === undefined && line.status !== last) {
        idle.arm(stallSeconds * 10);
        // The old model's manifest is about to be overwritten, after which it could not be unloaded by its name.
        if (line.status === "writing manifest" && source === name) await api.unload(name);
      }
      last = line.status ?? last;
    }
  } catch (error) {
    throw permanentError(error, source, diskFull) ?? idle.reason(error);
  } finally {
    idle.disarm();
  }
  if (last !== "success") throw new Error("the connection to Ollama dropped");
}

/** The error that a retry cannot fix, or undefined. */
function permanentError(error: unknown, source: string, diskFull: DiskFullMessage): InstallError | undefined {
  if (!(error instanceof OllamaError)) return undefined;
  const text = error.message;
  if (/file does not exist|manifest unknown|name unknown|not found/i.test(text)) {
    return new InstallError(
      `the registry does not have the model ${source} (its error: ${text}). Check its name and tag: pulumi config get models`,
    );
  }
  if (/insecure|server gave HTTP response to HTTPS client/i.test(text)) {
    return new InstallError(
      `the registry of ${source} uses plain HTTP (Ollama: ${text}). If that is intended, set insecure: true for the model`,
    );
  }
  if (error.status === 400) return new InstallError(`Ollama rejected the pull of ${source}: ${text}`);
  return diskFullError(error, diskFull);
}

/** The error for a full disk; undefined for any other error. */
export function diskFullError(
  error: OllamaError,
  { problem, remedy }: DiskFullMessage,
): InstallError | undefined {
  if (!/no space left on device/i.test(error.message)) return undefined;
  return new InstallError(`${problem} (Ollama: ${error.message}). ${remedy}; downloaded data is kept.`);
}
