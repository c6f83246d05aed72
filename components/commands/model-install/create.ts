import { type CreateRequest, type OllamaApi, OllamaError } from "./ollama-api.ts";
import { readGguf } from "./gguf-file.ts";
import { InstallError } from "./retry.ts";
import type { Progress } from "./progress.ts";
import { fullDisk } from "./pull.ts";
import { IdleTimeout } from "./idle-timeout.ts";
import type { InstallOptions } from "./desired-model.ts";

/** Uploads a GGUF file unless the server has it; it is checked against its digest by Ollama. */
export async function uploadGguf(
  api: OllamaApi,
  { source, digest }: { source: string; digest: string },
  progress: Progress,
  { stallSeconds, say }: InstallOptions,
): Promise<void> {
  const blob = `sha256:${digest}`;
  if (await api.hasBlob(blob)) {
    say(`the server has ${source} already`);
    return;
  }
  const stall = new IdleTimeout();
  const content = readGguf(source, {
    stallSeconds,
    say,
    onProgress: (completed, total) => {
      progress.take({ digest: blob, completed, ...(total === undefined ? {} : { total }) });
    },
  });
  try {
    await api.upload(blob, watched(content, stall, stallSeconds), stall.signal);
  } catch (error) {
    if (error instanceof OllamaError) throw refused(error, source);
    throw stall.reason(error);
  } finally {
    stall.disarm();
  }
}

/** Hands pieces on; the server has so many seconds to take each, and ten times as many to say that it has them all. */
async function* watched(
  content: AsyncIterable<Uint8Array>,
  stall: IdleTimeout,
  seconds: number,
): AsyncGenerator<Uint8Array> {
  for await (const piece of content) {
    stall.arm(seconds);
    yield piece;
    stall.disarm();
  }
  stall.arm(seconds * 10);
}

function refused(error: OllamaError, source: string): Error {
  if (/digest mismatch/i.test(error.message)) {
    return new InstallError(
      `${source} does not have the SHA-256 that was given for it (Ollama says: ${error.message}). ` +
        `Get the file anew, or correct the model's digest.`,
    );
  }
  return fullDisk(error) ?? error;
}

/** Makes a model of what is on the server. */
export async function createFrom(
  api: OllamaApi,
  request: CreateRequest,
  progress: Progress,
  { stallSeconds }: InstallOptions,
): Promise<void> {
  const stall = new IdleTimeout();
  let last = "";
  try {
    // What has the name now would stay in memory under it.
    await api.unload(request.model);
    stall.arm(stallSeconds * 10);
    for await (const line of api.create(request, stall.signal)) {
      stall.arm(stallSeconds * 10);
      progress.take(line);
      last = line.status ?? last;
    }
  } catch (error) {
    // What another server on the same volume has just taken away can be uploaded or pulled again.
    if (error instanceof OllamaError && !/no such file|not found/i.test(error.message)) {
      throw (
        fullDisk(error) ?? new InstallError(`Ollama does not make ${request.model} of it: ${error.message}`)
      );
    }
    throw stall.reason(error);
  } finally {
    stall.disarm();
  }
  if (last !== "success") throw new Error("the connection to Ollama dropped");
}
