import { once } from "node:events";
import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { canonicalModelName } from "../../../gateway/src/ollama/model-name.ts";
import type { OllamaChatRequest } from "../../../gateway/src/ollama/types.ts";

/** One thing the fake does while it answers a generating request, in order. Headers go out with the first bytes, as Ollama's do. */
export type Step =
  | { readonly line: object }
  | { readonly raw: string | Buffer }
  | { readonly status: number; readonly body: string }
  | { readonly waitMs: number }
  | { readonly until: Promise<unknown> }
  /** Sends lines as fast as they are taken, until the connection breaks. */
  | "flood"
  /** Breaks the connection off. */
  | "cut"
  /** Neither sends nor ends anything any more. */
  | "hang";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly body: OllamaChatRequest;
  /** The body as it was sent. */
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
  /** Resolves with true when the gateway broke the connection off before the answer was over, else with false. */
  readonly brokenOff: Promise<boolean>;
  /** How much has been written of a flood. */
  bytesTaken: number;
}

export function token(content: string): Step {
  return { line: { model: "m", message: { role: "assistant", content }, done: false } };
}

/** What a model thinks before it responds. */
export function thought(thinking: string): Step {
  return { line: { model: "m", message: { role: "assistant", content: "", thinking }, done: false } };
}

const durations = { total_duration: 9_000_000, load_duration: 1_000_000 };

export const lastCounts = {
  prompt_eval_count: 11,
  eval_count: 3,
  eval_duration: 3_000_000,
  total_duration: 9_000_000,
};

export function last(over: object = {}): Step {
  return {
    line: {
      message: { role: "assistant", content: "" },
      done: true,
      done_reason: "stop",
      ...lastCounts,
      ...over,
    },
  };
}

/** An Ollama server that does what a test sets up, and nothing by chance. */
export class FakeOllama {
  readonly received: Received[] = [];
  /** Requests that only load a model, in the order in which they came. */
  readonly loads: Received[] = [];
  /** Requests about itself and its models, in order. */
  readonly asked: string[] = [];
  models: string[] = ["m:latest"];
  /** Of every model's files. */
  digest = "d";
  /** The models that are loaded; undefined stands for all that are there. A load adds to them. */
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
  /** What `/api/show` says every model can do; undefined: it does not say, as an old Ollama. */
  capabilities: string[] | undefined = ["completion", "tools"];
  /** What `/api/show` says of how every model is made. */
  modelInfo: Readonly<Record<string, unknown>> = {};
  /** What `/api/show` says of every model's own parameters, as a Modelfile has them. */
  parameters: string | undefined;
  port = 0;
  /** Before it says which models it has. */
  tagsAfter: Promise<unknown> = Promise.resolve();
  /** Breaks the connection of a generating request off when its headers are there and its body is not. */
  cutsBodies = false;
  #script: ((body: OllamaChatRequest) => readonly Step[] | undefined) | undefined;
  #loadScript: readonly Step[] = [];
  #waiting: (() => void)[] = [];
  readonly #begun = new Set<string>();
  readonly #server = createServer((request, response) => {
    void this.#answer(request, response).catch(() => response.destroy());
  });

  static async start(port = 0, address = "127.0.0.1"): Promise<FakeOllama> {
    const fake = new FakeOllama();
    fake.#server.listen(port, address);
    await once(fake.#server, "listening");
    fake.port = (fake.#server.address() as AddressInfo).port;
    return fake;
  }

  /** What the next conversations are answered with; without it "Hello", " there", "." is. */
  answers(...script: readonly Step[]): void {
    this.#script = () => script;
  }

  /** What each conversation is answered with, by what was asked; undefined: as without a script. */
  answersEach(script: (body: OllamaChatRequest) => readonly Step[] | undefined): void {
    this.#script = script;
  }

  /** What happens before a load succeeds. */
  loadsWith(...script: readonly Step[]): void {
    this.#loadScript = script;
  }

  /** The n-th requested load, counted from 0. */
  async load(n = 0): Promise<Received> {
    for (;;) {
      const load = this.loads[n];
      if (load !== undefined) return load;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** The n-th conversation that arrives, counted from 0. */
  async conversation(n = 0): Promise<Received> {
    for (;;) {
      const received = this.received[n];
      if (received !== undefined) return received;
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** A request to a path has begun to arrive. */
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

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    if (this.cutsBodies && path === "/api/chat") {
      request.socket.destroy();
      return;
    }
    this.#begun.add(path);
    for (const resolve of this.#waiting.splice(0)) resolve();
    const text = Buffer.concat(await request.toArray()).toString();
    if (path === "/api/tags") await this.tagsAfter;
    const told = this.#told(path);
    if (told !== undefined) {
      this.asked.push(path);
      response.setHeader("content-type", JSON_TYPE);
      response.end(JSON.stringify(told));
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
    if (!isLoad) await play(this.#script?.(body) ?? usual(request.method, path, body), response, received);
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

  /** What the fake says of itself and its models. */
  #told(path: string): object | undefined {
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

const JSON_TYPE = "application/json; charset=utf-8";
const NDJSON_TYPE = "application/x-ndjson";

/** Undefined: it is neither JSON nor, as a blob is, bytes. */
function bodyOf(text: string): OllamaChatRequest | undefined {
  if (!text.startsWith("{")) return text as unknown as OllamaChatRequest;
  try {
    return JSON.parse(text) as OllamaChatRequest;
  } catch {
    return undefined;
  }
}

const RUNNING: readonly string[] = ["/api/chat", "/api/generate", "/api/embed", "/api/embeddings"];

function isMissing({ model }: Partial<OllamaChatRequest>, path: string, models: readonly string[]): boolean {
  const isThere = models.some((each) => canonicalModelName(each) === canonicalModelName(model ?? ""));
  return RUNNING.includes(path) && !isThere;
}

function usual(method: string | undefined, path: string, body: OllamaChatRequest): Step[] {
  const { stream = true } = body as Partial<OllamaChatRequest>;
  switch (path) {
    case "/api/embed": {
      const texts = [(body as { input?: unknown }).input].flat();
      const embeddings = texts.map(() => [0.5, -0.25]);
      return [{ line: { model: "m", embeddings, ...durations, prompt_eval_count: 2 } }];
    }
    case "/api/embeddings":
      return [{ status: 200, body: '{"embedding":[0.5,-0.25]}' }];
    case "/api/generate":
      if (stream) return [{ line: { response: "Hello", done: false } }, last({ response: " there." })];
      return [last({ response: "Hello there." })];
    case "/api/pull":
    case "/api/push":
    case "/api/create":
      return [{ line: { status: "success" } }];
    // These are answered without a body, and without a type.
    case "/api/copy":
    case "/api/delete":
      return [{ status: 200, body: "" }];
    default:
      if (path.startsWith("/api/blobs/")) return [{ status: method === "HEAD" ? 200 : 201, body: "" }];
      if (stream) return [token("Hello"), token(" there"), token("."), last()];
      return [last({ message: { role: "assistant", content: "Hello there." } })];
  }
}

/** A request that says nothing loads its model, whatever its kind. */
function onlyLoads(path: string, body: Readonly<Record<string, unknown>>): boolean {
  const said = body["messages"] ?? body["prompt"] ?? body["input"];
  const isText = path === "/api/generate" || path === "/api/embeddings";
  return isText ? said === undefined : Array.isArray(said) && said.length === 0;
}

/** Plays a script and ends the answer. Says whether the answer is still to be given. */
async function play(script: readonly Step[], response: ServerResponse, received: Received): Promise<boolean> {
  for (const step of script) {
    if (step === "hang") return false;
    if (step === "cut") {
      // What was written goes out first.
      await new Promise((resolve) => setImmediate(resolve));
      response.destroy();
      return false;
    }
    if (step === "flood") await flood(response, received);
    else if ("waitMs" in step) await wait(step.waitMs);
    else if ("until" in step) await step.until;
    else if ("status" in step) response.writeHead(step.status, typeOf(step.body)).write(step.body);
    else if ("line" in step) {
      const { stream } = received.body as Partial<OllamaChatRequest>;
      const isBuffered = stream === false || received.path === "/api/embed";
      if (!response.headersSent) response.setHeader("content-type", isBuffered ? JSON_TYPE : NDJSON_TYPE);
      response.write(`${JSON.stringify(step.line)}\n`);
    } else response.write(step.raw);
  }
  if (!response.headersSent && !script.some((step) => typeof step === "object" && "raw" in step)) return true;
  response.end();
  return false;
}

/** Ollama's answers without content have no type. */
function typeOf(body: string): Record<string, string> {
  return body === "" ? {} : { "content-type": JSON_TYPE };
}

function flood(response: ServerResponse, received: Received): Promise<void> {
  const line = `${JSON.stringify({ message: { content: "x".repeat(1000) }, done: false })}\n`;
  const write = (): void => {
    do received.bytesTaken += line.length;
    while (!response.destroyed && response.write(line));
  };
  response.on("drain", write);
  write();
  return new Promise((resolve) => response.once("close", resolve));
}
