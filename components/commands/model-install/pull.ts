import { OllamaError, type OllamaApi } from "./ollama-api.ts";
import { InstallError } from "./retry.ts";
import type { Progress } from "./progress.ts";
import { IdleTimeout } from "./idle-timeout.ts";
import type { InstallOptions, WantedModel } from "./desired-model.ts";

/** Pulls a model's source once. What was loaded by an earlier attempt is not loaded again: Ollama keeps it. */
export async function pullOnce(
  api: OllamaApi,
  { name, source, insecure }: WantedModel,
  progress: Progress,
  { stallSeconds }: InstallOptions,
): Promise<void> {
  const stall = new IdleTimeout();
  let last = "";
  try {
    stall.arm(stallSeconds);
    for await (const line of api.pull(source, insecure, stall.signal)) {
      // Ollama repeats a line many times a second even when nothing comes in.
      if (progress.take(line)) stall.arm(stallSeconds);
      else if (line.digest === undefined && line.status !== last) {
        stall.arm(stallSeconds * 10);
        // Now the old model's manifest is written over: under its name it could not be unloaded any more.
        if (line.status === "writing manifest" && source === name) await api.unload(name);
      }
      last = line.status ?? last;
    }
  } catch (error) {
    throw hopeless(error, source) ?? stall.reason(error);
  } finally {
    stall.disarm();
  }
  if (last !== "success") throw new Error("the connection to Ollama dropped");
}

/** Says why trying again is no use, or undefined. */
function hopeless(error: unknown, source: string): InstallError | undefined {
  if (!(error instanceof OllamaError)) return undefined;
  const text = error.message;
  if (/file does not exist|manifest unknown|name unknown|not found/i.test(text)) {
    return new InstallError(
      `the registry does not have the model ${source} (it says: ${text}). Check its name and tag, then: pulumi config set --path 'models[0].name' NAME`,
    );
  }
  if (/insecure|server gave HTTP response to HTTPS client/i.test(text)) {
    return new InstallError(
      `the registry of ${source} speaks plain HTTP (Ollama says: ${text}). If that is meant, set insecure: true for the model`,
    );
  }
  if (error.status === 400) return new InstallError(`Ollama refuses to pull ${source}: ${text}`);
  return fullDisk(error);
}

/** What to do when there is no room; undefined when that is not what the error says. */
export function fullDisk(error: OllamaError): InstallError | undefined {
  if (!/no space left on device/i.test(error.message)) return undefined;
  return new InstallError(
    `the disk of the Docker engine is full (Ollama says: ${error.message}). Free some space (docker system df shows what is used) and run the update again; what was loaded is kept.`,
  );
}
