import { type CreateRequest, type OllamaApi, OllamaError } from "./ollama-api.ts";
import { readGguf } from "./gguf-file.ts";
import { InstallError } from "./retry.ts";
import type { Progress } from "./progress.ts";
import { diskFullError } from "./pull.ts";
import { IdleTimeout } from "./idle-timeout.ts";
import type { InstallOptions, DiskFullMessage } from "./desired-model.ts";

/** Uploads a GGUF file unless the server has it. Ollama verifies its digest. */
export async function uploadGguf(
  api: OllamaApi,
  { source, digest }: { source: string; digest: string },
  progress: Progress,
  { stallSeconds, diskFull, log }: InstallOptions,
): Promise<void> {
  const blob = `sha256:${digest}`;
  if (await api.hasBlob(blob)) {
    log(`the server already has ${source}`);
    return;
  }
  const idle = new IdleTimeout();
  const content = readGguf(source, {
    stallSeconds,
    log,
    onProgress: (completed, total) => {
      progress.update({ digest: blob, completed, ...(total === undefined ? {} : { total }) });
    },
  });
  try {
    await api.upload(blob, withIdleTimeout(content, idle, stallSeconds), idle.signal);
  } catch (error) {
    if (error instanceof OllamaError) throw uploadError(error, source, diskFull);
    throw idle.reason(error);
  } finally {
    idle.disarm();
  }
}

/** Passes pieces on. The server has `seconds` to accept each piece, and ten times as long to confirm the upload. */
async function* withIdleTimeout(
  content: AsyncIterable<Uint8Array>,
  idle: IdleTimeout,
  seconds: number,
): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    idle.arm(seconds);
    yield piece;
    idle.disarm();
  }
  idle.arm(seconds * 10);
}

function uploadError(error: OllamaError, source: string, diskFull: DiskFullMessage): Error {
  if (/digest mismatch/i.test(error.message)) {
    return new InstallError(
      `${source} does not have the configured SHA-256 (Ollama: ${error.message}). ` +
        `Download the file again, or correct the model's digest.`,
    );
  }
  return diskFullError(error, diskFull) ?? error;
}

/** Creates a model from files or another model on the server. */
export async function createFrom(
  api: OllamaApi,
  request: CreateRequest,
  progress: Progress,
  { stallSeconds, diskFull }: InstallOptions,
): Promise<void> {
  const idle = new IdleTimeout();
  let last = "";
  try {
    // The old model would otherwise stay in memory under this name.
    await api.unload(request.model);
    idle.arm(stallSeconds * 10);
    for await (const line of api.create(request, idle.signal)) {
      idle.arm(stallSeconds * 10);
      progress.update(line);
      last = line.status ?? last;
    }
  } catch (error) {
    // Another server on the same volume may have deleted a layer; that can be retried.
    if (error instanceof OllamaError && !/no such file|not found/i.test(error.message)) {
      throw (
        diskFullError(error, diskFull) ??
        new InstallError(`Ollama cannot create ${request.model}: ${error.message}`)
      );
    }
    throw idle.reason(error);
  } finally {
    idle.disarm();
  }
  if (last !== "success") throw new Error("the connection to Ollama dropped");
}
