import { once } from "node:events";
import { type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { canonicalModelName } from "../../../gateway/src/ollama/model-name.ts";
import type { OllamaChatRequest } from "../../../gateway/src/ollama/types.ts";
import { JSON_TYPE, play } from "./play.ts";
import { bodyOf, isMissing, onlyLoads, type Received } from "./received.ts";
import type { Step } from "./steps.ts";
import { defaultResponse } from "./default-responses.ts";

/** An Ollama server that follows the script of a test. */
export class FakeOllama {
  readonly received: Received[] = [];
  /** Requests that only load a model, in order. */
  readonly loads: Received[] = [];
  /** Requests about itself and its models, in order. */
  readonly queries: string[] = [];
  models: string[] = ["m:latest"];
  /** The digest of every model. */
  digest = "d";
  /** The loaded models, to which a load adds; undefined for all models. */
  loaded:
    | {
        name: string;
        digest?: string;
        context_length?: number;
        size?: number;
        size_vram?: number;
        expires_at?: string;
      }[]
    | undefined;
  /** Capabilities of every model in `/api/show`; undefined to omit them, like an old Ollama. */
  capabilities: string[] | undefined = ["completion", "tools"];
  /** Details of every model in `/api/show`. */
  modelInfo: Readonly<Record<string, unknown>> = {};
  /** Parameters of every model in `/api/show`, in Modelfile format. */
  parameters: string | undefined;
  port = 0;
  /** Delays `/api/tags`. */
  tagsAfter: Promise<unknown> = Promise.resolve();
  /** Delays `/api/show`. */
  showAfter: Promise<unknown> = Promise.resolve();
  /** The paths of requests whose client disconnected before it had the response, in order. */
  readonly disconnects: string[] = [];
  /** Breaks the connection of a generation request between its headers and its body. */
  cutsBodies = false;
  #script: ((body: OllamaChatRequest) => readonly Step[] | undefined) | undefined;
  #loadScript: readonly Step[] = [];
  #waiting: (() => void)[] = [];
  readonly #begun = new Set<string>();
  readonly #server = createServer((request, response) => {
    void this.#respond(request, response).catch(() => response.destroy());
  });

  static async start(port = 0, address = "127.0.0.1"): Promise<FakeOllama> {
    const fake = new FakeOllama();
    fake.#server.listen(port, address);
    await once(fake.#server, "listening");
    fake.port = (fake.#server.address() as AddressInfo).port;
    return fake;
  }

  /** The responses to all further conversations; by default "Hello", " there", ".". */
  respondWith(...script: readonly Step[]): void {
    this.#script = () => script;
  }

  /** Chooses the response by the request; undefined selects the default one. */
  respondTo(script: (body: OllamaChatRequest) => readonly Step[] | undefined): void {
    this.#script = script;
  }

  /** The steps before a load succeeds. */
  loadsWith(...script: readonly Step[]): void {
    this.#loadScript = script;
  }

  /** Waits for the n-th load request, counted from 0. */
  async load(n = 0): Promise<Received> {
    for (;;) {
      const load = this.loads[n];
      if (load !== undefined) return load;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Waits for the n-th conversation, counted from 0. */
  async conversation(n = 0): Promise<Received> {
    for (;;) {
      const received = this.received[n];
      if (received !== undefined) return received;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Waits until a request to a path has begun to arrive. */
  async begun(path: string): Promise<void> {
    while (!this.#begun.has(path)) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  closeConnections(): void {
    this.#server.closeAllConnections();
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    if (this.cutsBodies && path === "/api/chat") {
      request.socket.destroy();
      return;
    }
    this.#begun.add(path);
    for (const resolve of this.#waiting.splice(0)) resolve();
    const text = Buffer.concat(await request.toArray()).toString();
    response.once("close", () => {
      if (!response.writableFinished) this.disconnects.push(path);
    });
    if (path === "/api/tags") await this.tagsAfter;
    if (path === "/api/show") await this.showAfter;
    const about = this.#aboutItself(path);
    if (about !== undefined) {
      this.queries.push(path);
      response.setHeader("content-type", JSON_TYPE);
      response.end(JSON.stringify(about));
      return;
    }
    const body = bodyOf(text);
    if (body === undefined) {
      response.writeHead(400, { "content-type": JSON_TYPE });
      response.end('{"error":"invalid character in literal"}');
      return;
    }
    const brokenOff = new Promise<boolean>((resolve) => {
      response.once("close", () => {
        resolve(!response.writableFinished);
      });
    });
    const { method = "" } = request;
    const received: Received = {
      method,
      path,
      body,
      text,
      headers: request.headers,
      brokenOff,
      bytesTaken: 0,
    };
    if (this.#script === undefined && isMissing(body, path, this.models)) {
      response.writeHead(404, { "content-type": JSON_TYPE });
      response.end(`{"error":"model '${body.model}' not found"}`);
      return;
    }
    const isLoad = onlyLoads(path, body as unknown as Record<string, unknown>);
    (isLoad ? this.loads : this.received).push(received);
    for (const resolve of this.#waiting.splice(0)) resolve();
    if (!isLoad)
      await play(this.#script?.(body) ?? defaultResponse(request.method, path, body), response, received);
    else if (await play(this.#loadScript, response, received)) this.#finishLoad(body, response);
  }

  #finishLoad({ model, options }: OllamaChatRequest, response: ServerResponse): void {
    const name = canonicalModelName(model);
    const context = (options as OllamaChatRequest["options"] | undefined)?.num_ctx ?? 4096;
    this.loaded = this.loaded?.filter((each) => each.name !== name);
    this.loaded?.push({ name, context_length: context });
    response.setHeader("content-type", JSON_TYPE);
    response.end(JSON.stringify({ model, done: true, done_reason: "load" }));
  }

  /** Responses about the fake itself and its models. */
  #aboutItself(path: string): object | undefined {
    const models = this.models.map((name) => ({
      name,
      model: name,
      digest: this.digest,
      size: 1,
      modified_at: "2025-01-02T03:04:05Z",
    }));
    switch (path) {
      case "/api/tags":
        return { models };
      case "/api/ps":
        return { models: this.loaded ?? models.map((model) => ({ ...model, context_length: 4096 })) };
      case "/api/version":
        return { version: "0.17.4" };
      case "/api/show":
        return {
          capabilities: this.capabilities,
          details: { family: "fake" },
          model_info: this.modelInfo,
          parameters: this.parameters,
        };
      default:
        return undefined;
    }
  }
}
