import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The behaviour of a pull. Pulls without one succeed. */
export type PullBehaviour =
  | { readonly lines: readonly object[]; readonly then: "end" | "cut" | "hang" }
  | { readonly status: number; readonly error: string };

/** The model management part of Ollama's API, with configurable pulls. */
export class FakeOllama {
  readonly models = new Map<string, { digest: string; size: number }>();
  readonly pulls: { model: string; insecure: boolean }[] = [];
  /** Sizes of uploaded blobs in bytes, by digest ("sha256:..."). */
  readonly blobs = new Map<string, number>();
  readonly creations: Record<string, unknown>[] = [];
  /** Every change of a name, in order: "copy a b", "delete a", "unload a". */
  readonly changes: string[] = [];
  /** Errors of the next deletions, returned after they have deleted the model. */
  readonly deletionErrors: string[] = [];
  /** The digest of pulled models. */
  registryDigest = "d".repeat(64);
  /** Loaded models, and their keep-alive if set. */
  readonly loaded = new Map<string, string | undefined>();
  /** Memory of a model, in total and on GPUs, in bytes; 100 and 0 by default. */
  readonly memory = new Map<string, { size: number; size_vram: number }>();
  /** Names of models that only support embeddings. */
  readonly embedding = new Set<string>();
  readonly #behaviours: PullBehaviour[];
  readonly #server = createServer((request, response) => {
    void this.#serve(request, response);
  });

  constructor(...behaviours: PullBehaviour[]) {
    this.#behaviours = behaviours;
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const respond = (status: number, value: object) => response.writeHead(status).end(JSON.stringify(value));
    const blob = /^\/api\/blobs\/(sha256:[0-9a-f]{64})$/.exec(String(request.url))?.[1];
    if (blob !== undefined) {
      await this.#blob(blob, request, respond);
      return;
    }
    let text = "";
    for await (const piece of request) text += String(piece);
    const body = (text === "" ? {} : JSON.parse(text)) as Record<string, string>;
    switch (`${String(request.method)} ${String(request.url)}`) {
      case "GET /api/tags":
        return void respond(200, { models: [...this.models].map(([name, model]) => ({ name, ...model })) });
      case "POST /api/copy": {
        const source = this.models.get(body["source"] ?? "");
        if (source === undefined) return void respond(404, { error: "model not found" });
        this.models.set(body["destination"] ?? "", source);
        this.changes.push(`copy ${String(body["source"])} ${String(body["destination"])}`);
        return void respond(200, {});
      }
      case "DELETE /api/delete": {
        this.changes.push(`delete ${String(body["model"])}`);
        const wasThere = this.models.delete(body["model"] ?? "");
        const error = this.deletionErrors.shift();
        if (error !== undefined) return void respond(500, { error });
        return void respond(wasThere ? 200 : 404, {});
      }
      case "GET /api/ps":
        return void respond(200, { models: [...this.loaded.keys()].map((name) => this.#running(name)) });
      case "POST /api/embed":
      case "POST /api/generate":
        if (String(body["keep_alive"]) !== "0") return void respond(...this.#load(body, String(request.url)));
        this.changes.push(`unload ${String(body["model"])}`);
        return void respond(this.loaded.delete(body["model"] ?? "") ? 200 : 404, {});
      case "POST /api/show":
        return void respond(this.models.has(body["model"] ?? "") ? 200 : 404, {});
      case "POST /api/create": {
        this.creations.push(body);
        const digest = createHash("sha256").update(text).digest("hex");
        this.models.set(body["model"] ?? "", { digest, size: 7 });
        response.end(
          `${JSON.stringify({ status: "parsing GGUF" })}\n${JSON.stringify({ status: "success" })}\n`,
        );
        return;
      }
      case "POST /api/pull":
        this.#pull(body, response);
        return;
      default:
        return void respond(404, { error: "no such route" });
    }
  }

  #running(name: string): object {
    const { size, size_vram } = this.memory.get(name) ?? { size: 100, size_vram: 0 };
    return { name, digest: this.models.get(name)?.digest ?? "", size, size_vram };
  }

  #load({ model = "", keep_alive }: Record<string, string>, path: string): [number, object] {
    if (!this.models.has(model)) return [404, { error: `model '${model}' not found` }];
    if (this.embedding.has(model) && path === "/api/generate")
      return [400, { error: `"${model}" does not support generate` }];
    this.loaded.set(model, keep_alive);
    return [200, {}];
  }

  async #blob(
    digest: string,
    request: IncomingMessage,
    respond: (status: number, value: object) => unknown,
  ): Promise<void> {
    if (request.method === "HEAD") return void respond(this.blobs.has(digest) ? 200 : 404, {});
    const hash = createHash("sha256");
    let size = 0;
    for await (const piece of request as AsyncIterable<Buffer>) {
      hash.update(piece);
      size += piece.length;
    }
    const found = `sha256:${hash.digest("hex")}`;
    if (found !== digest)
      return void respond(400, { error: `digest mismatch, expected "${digest}", got "${found}"` });
    this.blobs.set(digest, size);
    respond(201, {});
  }

  #pull(body: Record<string, unknown>, response: ServerResponse): void {
    const model = String(body["model"]);
    this.pulls.push({ model, insecure: body["insecure"] === true });
    const behaviour = this.#behaviours.shift() ?? { lines: [{ status: "success" }], then: "end" };
    if ("status" in behaviour) {
      response.writeHead(behaviour.status).end(JSON.stringify({ error: behaviour.error }));
      return;
    }
    response.writeHead(200, { "content-type": "application/x-ndjson" });
    const lines = behaviour.lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    if (lines.includes('"success"'))
      this.models.set(model, { digest: this.registryDigest, size: 1_500_000_000 });
    response.write(lines, () => {
      if (behaviour.then === "end") response.end();
      if (behaviour.then === "cut") response.destroy();
    });
  }
}
