import { request } from "undici";
import { z } from "zod";

// The few calls of Ollama's API that managing models takes, from where Pulumi runs.

const tags = z.object({
  models: z.array(z.object({ name: z.string(), digest: z.string(), size: z.number() })).nullish(),
});

const pullLine = z.object({
  error: z.string().optional(),
  status: z.string().optional(),
  digest: z.string().optional(),
  total: z.number().optional(),
  completed: z.number().optional(),
});
export type PullLine = z.output<typeof pullLine>;
export type InstalledModel = NonNullable<z.output<typeof tags>["models"]>[number];

/** Ollama refused, with the status it gave and its own words. */
export class OllamaError extends Error {
  override readonly name = "OllamaError";
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export class OllamaApi {
  readonly url: string;
  constructor(url: string) {
    this.url = url;
  }

  /** What is installed under a name, or undefined. */
  async installed(name: string): Promise<InstalledModel | undefined> {
    const { body } = await this.#call("GET", "/api/tags");
    return tags.parse(await body.json()).models?.find((model) => model.name === name);
  }

  async copy(source: string, destination: string): Promise<void> {
    const { body } = await this.#call("POST", "/api/copy", { source, destination });
    await body.dump();
  }

  /** Deletes a model; false when there was none of that name. */
  async delete(model: string): Promise<boolean> {
    try {
      const { body } = await this.#call("DELETE", "/api/delete", { model });
      await body.dump();
      return true;
    } catch (error) {
      if (error instanceof OllamaError && error.status === 404) return false;
      throw error;
    }
  }

  /** The lines of a pull as they come; an error line is thrown. Ends after "success", or when the connection drops. */
  async *pull(model: string, insecure: boolean, signal: AbortSignal): AsyncGenerator<PullLine> {
    const { body } = await this.#call("POST", "/api/pull", { model, insecure, stream: true }, signal);
    let rest = "";
    for await (const piece of body.setEncoding("utf8") as AsyncIterable<string>) {
      const lines = (rest + piece).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines.filter(Boolean)) {
        const parsed = pullLine.parse(JSON.parse(line));
        if (parsed.error !== undefined) throw new OllamaError(200, parsed.error);
        yield parsed;
      }
    }
  }

  async #call(method: "GET" | "POST" | "DELETE", path: string, body?: object, signal?: AbortSignal) {
    const response = await request(`${this.url}${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      ...(signal === undefined ? {} : { signal }),
      headersTimeout: 60_000,
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
