import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { request } from "undici";
import { z } from "zod";
import { type InstalledModel, parseModelList } from "../../config/models/installed-models.ts";

// A client for the parts of Ollama's API that manage models.

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

/** A model to create from an installed model, or from uploaded files (name to "sha256:..."). */
export interface CreateRequest {
  readonly model: string;
  readonly from?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly parameters?: object | undefined;
  readonly template?: string | undefined;
  readonly system?: string | undefined;
}

/** An error response from Ollama, with its status and message. */
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
  /** Milliseconds until the response begins; 60,000 by default, 0 for no limit. */
  readonly headersTimeout?: number;
}

// For a load that progresses: Ollama itself cancels a load without progress after 5 minutes.
const loadTimeout = 1_800_000;
const DELETE_ATTEMPTS = 5;
const DELETE_RETRY_MS = 100;

export class OllamaApi {
  readonly url: string;
  constructor(url: string) {
    this.url = url;
  }

  /** The installed model of a name, or undefined. */
  async installed(name: string): Promise<InstalledModel | undefined> {
    return (await this.list()).find((model) => model.name === name);
  }

  /** All installed models. */
  async list(): Promise<InstalledModel[]> {
    const { body } = await this.#call("GET", "/api/tags");
    return parseModelList(await body.json());
  }

  async copy(source: string, destination: string): Promise<void> {
    const { body } = await this.#call("POST", "/api/copy", { body: { source, destination } });
    await body.dump();
  }

  /** Deletes a model; returns false if it does not exist. */
  async delete(model: string): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { body } = await this.#call("DELETE", "/api/delete", { body: { model } });
        await body.dump();
        return true;
      } catch (error) {
        if (!(error instanceof OllamaError)) throw error;
        if (error.status === 404) return attempt > 1;
        // Of two concurrent deletions, Ollama fails the one that finds a folder already removed by the other.
        if (error.status < 500 || attempt === DELETE_ATTEMPTS) throw error;
        await sleep(attempt * DELETE_RETRY_MS);
      }
    }
  }

  /** The loaded models, with their total and their GPU memory in bytes. */
  async loaded(): Promise<LoadedModel[]> {
    const { body } = await this.#call("GET", "/api/ps");
    return running.parse(await body.json()).models ?? [];
  }

  /** Loads a generation or embedding model. Without `keepAlive`, the current setting of the server or a client applies. */
  async load(model: string, keepAlive?: string): Promise<void> {
    const options = { model, ...(keepAlive === undefined ? {} : { keep_alive: keepAlive }) };
    const post = async (path: string, request: object) => {
      const { body } = await this.#call("POST", path, { body: request, headersTimeout: loadTimeout });
      await body.dump();
    };
    try {
      await post("/api/generate", options);
    } catch (error) {
      if (!(error instanceof OllamaError && error.message.includes("does not support generate"))) throw error;
      await post("/api/embed", { ...options, input: "" });
    }
  }

  /** Unloads a model once it is idle, if it is loaded. */
  async unload(name: string): Promise<void> {
    if (!(await this.loaded()).some((model) => model.name === name)) return;
    const { body } = await this.#call("POST", "/api/generate", { body: { model: name, keep_alive: 0 } });
    await body.dump();
  }

  /** Throws if a listed model is incomplete because a layer is missing. */
  async verify(model: string): Promise<void> {
    const { body } = await this.#call("POST", "/api/show", { body: { model } });
    await body.dump();
  }

  /** Whether the server has a blob: an uploaded file, or a layer of a model. */
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

  /** Uploads a file; Ollama rejects it if its digest differs. */
  async upload(digest: string, content: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
    const { body } = await this.#call("POST", `/api/blobs/${digest}`, {
      body: Readable.from(content),
      signal,
    });
    await body.dump();
  }

  /** Streams the lines of a pull and throws an error line. Ends after "success", or when the connection drops. */
  pull(model: string, insecure: boolean, signal: AbortSignal): AsyncGenerator<ProgressLine> {
    return this.#lines("/api/pull", { model, insecure, stream: true }, signal);
  }

  /** Streams the lines of creating a model in the same way. */
  create(model: CreateRequest, signal: AbortSignal): AsyncGenerator<ProgressLine> {
    return this.#lines("/api/create", { ...model, stream: true }, signal);
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
      // A large upload gets its response when it is complete; the caller has its own timeout.
      headersTimeout: upload ? 0 : headersTimeout,
      // Verifying a large model sends nothing for minutes; the pull has its own idle timeout.
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
    // Not in Ollama's format.
  }
  return text.slice(0, 300);
}
