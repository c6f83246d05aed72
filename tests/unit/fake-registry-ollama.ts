import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What the next pull does; a pull beyond the list ends in success. */
export type PullBehaviour =
  | { readonly lines: readonly object[]; readonly then: "end" | "cut" | "hang" }
  | { readonly status: number; readonly error: string };

/** The model-managing part of Ollama's API, whose pulls misbehave on purpose. */
export class FakeOllama {
  readonly models = new Map<string, { digest: string; size: number }>();
  readonly pulls: { model: string; insecure: boolean }[] = [];
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
    let text = "";
    for await (const piece of request) text += String(piece);
    const body = (text === "" ? {} : JSON.parse(text)) as Record<string, string>;
    const answer = (status: number, value: object) => response.writeHead(status).end(JSON.stringify(value));
    switch (`${String(request.method)} ${String(request.url)}`) {
      case "GET /api/tags":
        return void answer(200, { models: [...this.models].map(([name, model]) => ({ name, ...model })) });
      case "POST /api/copy": {
        const source = this.models.get(body["source"] ?? "");
        if (source === undefined) return void answer(404, { error: "model not found" });
        this.models.set(body["destination"] ?? "", source);
        return void answer(200, {});
      }
      case "DELETE /api/delete":
        return void answer(this.models.delete(body["model"] ?? "") ? 200 : 404, {});
      case "POST /api/pull":
        this.#pull(body, response);
        return;
      default:
        return void answer(404, { error: "no such route" });
    }
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
    if (lines.includes('"success"')) this.models.set(model, { digest: "d".repeat(64), size: 1_500_000_000 });
    response.write(lines, () => {
      if (behaviour.then === "end") response.end();
      if (behaviour.then === "cut") response.destroy();
    });
  }
}
