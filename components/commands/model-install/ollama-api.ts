import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { z } from "zod";
import { type InstalledModel, parseModelList } from "../../config/models/installed-models.ts";

// The few calls of Ollama's API that managing models takes, from where Pulumi runs.

const running = z.object({
  models: z
    .array(z.object({ name: z.string(), digest: z.string(), size: z.number(), size_vram: z.number() }))
    .nullish(),
});

const progressLine = z.object({
  error: z.string().optional(),
  status: z.string().optional(),
  digest: z.string().optional(),
  total: z.number().optional(),
  completed: z.number().optional(),
});
export type ProgressLine = z.output<typeof progressLine>;
export type LoadedModel = NonNullable<z.output<typeof running>["models"]>[number];

/** What to make a model of: one that is installed, or files that were uploaded (name to "sha256:..."). */
export interface CreateRequest {
  readonly model: string;
  readonly from?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly parameters?: object | undefined;
  readonly template?: string | undefined;
  readonly system?: string | undefined;
}

/** Ollama refused, with the status it gave and its own words. */
export class OllamaError extends Error {
  override readonly name = "OllamaError";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

interface CallOptions {
  /** JSON, or the bytes of a file. */
  readonly body?: object | Readable;
  readonly signal?: AbortSignal;
  /** Milliseconds until the answer begins; 60,000 by default, 0 for no limit. */
  readonly headersTimeout?: number;
}

// Ollama gives a load up itself that does not get on for 5 minutes. This is for one that gets on.
const loadTimeout = 1_800_000;
const DELETE_ATTEMPTS = 5;
const DELETE_RETRY_MS = 100;

export class OllamaApi {
  readonly url: string;
  constructor(url: string) {
    this.url = url;
  }

  /** What is installed under a name, or undefined. */
  async installed(name: string): Promise<InstalledModel | undefined> {
    const { body } = await this.#call("GET", "/api/tags");
    return parseModelList(await body.json()).find((model) => model.name === name);
  }

  async copy(source: string, destination: string): Promise<void> {
    const { body } = await this.#call("POST", "/api/copy", { body: { source, destination } });
    await body.dump();
  }

  /** Deletes a model; false when there was none of that name. */
  async delete(model: string): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { body } = await this.#call("DELETE", "/api/delete", { body: { model } });
        await body.dump();
        return true;
      } catch (error) {
        if (!(error instanceof OllamaError)) throw error;
        if (error.status === 404) return attempt > 1;
        // Of two deletions at the same time, Ollama fails the one that finds a folder gone which the other has emptied.
        if (error.status < 500 || attempt === DELETE_ATTEMPTS) throw error;
        await sleep(attempt * DELETE_RETRY_MS);
      }
    }
  }

  /** What is in memory, and how much of it in that of GPUs, bytes. */
  async loaded(): Promise<LoadedModel[]> {
    const { body } = await this.#call("GET", "/api/ps");
    return running.parse(await body.json()).models ?? [];
  }

  /** Loads a model, of whichever kind. Without a time to keep it, it stays as long as the server or a client said. */
  async load(model: string, keepAlive?: string): Promise<void> {
    const wanted = { model, ...(keepAlive === undefined ? {} : { keep_alive: keepAlive }) };
    const ask = async (path: string, request: object) => {
      const { body } = await this.#call("POST", path, { body: request, headersTimeout: loadTimeout });
      await body.dump();
    };
    try {
      await ask("/api/generate", wanted);
    } catch (error) {
      if (!(error instanceof OllamaError && error.message.includes("does not support generate"))) throw error;
      await ask("/api/embed", { ...wanted, input: "" });
    }
  }

  /** Takes a model out of memory once nobody uses it, if it is loaded. */
  async unload(name: string): Promise<void> {
    if (!(await this.loaded()).some((model) => model.name === name)) return;
    const { body } = await this.#call("POST", "/api/generate", { body: { model: name, keep_alive: 0 } });
    await body.dump();
  }

  /** Throws when a model is listed and cannot be read: a layer of it is gone. */
  async verify(model: string): Promise<void> {
    const { body } = await this.#call("POST", "/api/show", { body: { model } });
    await body.dump();
  }

  /** Whether a file was uploaded, or is a layer of a model. */
  async hasBlob(digest: string): Promise<boolean> {
    try {
      const { body } = await this.#call("HEAD", `/api/blobs/${digest}`);
      await body.dump();
      return true;
    } catch (error) {
      if (error instanceof OllamaError && error.status === 404) return false;
      throw error;
    }
  }

  /** Uploads a file; Ollama refuses one that has another digest. */
  async upload(digest: string, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const { body } = await this.#call("POST", `/api/blobs/${digest}`, {
      body: Readable.from(content),
      signal,
    });
    await body.dump();
  }

  /** The lines of a pull as they come; an error line is thrown. Ends after "success", or when the connection drops. */
  pull(model: string, insecure: boolean, signal: AbortSignal): AsyncGenerator<ProgressLine> {
    return this.#lines("/api/pull", { model, insecure, stream: true }, signal);
  }

  /** The lines of making a model, in the same way. */
  create(wanted: CreateRequest, signal: AbortSignal): AsyncGenerator<ProgressLine> {
    return this.#lines("/api/create", { ...wanted, stream: true }, signal);
  }

  async *#lines(path: string, request: object, signal: AbortSignal): AsyncGenerator<ProgressLine> {
    const { body } = await this.#call("POST", path, { body: request, signal });
    let rest = "";
    for await (const piece of body.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines.filter(Boolean)) {
        const parsed = progressLine.parse(JSON.parse(line));
        if (parsed.error !== undefined) throw new OllamaError(200, parsed.error);
        yield parsed;
      }
    }
  }

  async #call(method: "GET" | "HEAD" | "POST" | "DELETE", path: string, options: CallOptions = {}) {
    const { body, signal, headersTimeout = 60_000 } = options;
    const upload = body instanceof Readable;
    const content = upload
      ? { body, headers: { "content-type": "application/octet-stream" } }
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    const response = await request(`${this.url}${path}`, {
      method,
      ...(body === undefined ? {} : content),
      ...(signal === undefined ? {} : { signal }),
      // A large upload is answered when all of it is written; whoever sends it has a deadline of their own.
      headersTimeout: upload ? 0 : headersTimeout,
      // Verifying a large model is silent for minutes; the pull has a deadline of its own for standing still.
      bodyTimeout: 0,
    });
    if (response.statusCode < 300) return response;
    const text = await response.body.text();
    throw new OllamaError(response.statusCode, errorText(text));
  }
}

function errorText(text: string): string {
  try {
    const { error } = JSON.parse(text) as { error?: unknown };
    if (typeof error === "string") return error;
  } catch {
    // Not Ollama's form: shown as it is.
  }
  return text.slice(0, 300);
}
