import { Agent, request } from "undici";
import type { Project } from "../test-support/stack/project.ts";
import type { KeyName, Keys } from "./keys.ts";

/** A response, or the reason why there is none. */
export interface Reply {
  /** 0 without a response; `text` is then the reason. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** Milliseconds until it was complete. */
  readonly ms: number;
}

export interface SendOptions {
  readonly method?: string;
  /** A key by its name, or none. */
  readonly key?: KeyName | "none";
  readonly headers?: Readonly<Record<string, string>>;
  /** Strings and buffers are sent unchanged, anything else as JSON. */
  readonly body?: unknown;
  /** Client timeout in milliseconds. */
  readonly withinMs?: number;
}

// Longer than any regular response on a busy machine.
const GIVE_UP_MS = 90_000;

interface Deployment {
  readonly name: "edge" | "direct";
  readonly host: string;
  readonly port: number;
  /** The certificate authority of a TLS port; undefined for plain HTTP. */
  readonly ca?: string | undefined;
  readonly model: string;
  readonly keys: Keys;
  readonly project: Project;
  readonly containers: { readonly edge?: string; readonly gateways: string[]; readonly ollamas: string[] };
  readonly network: string;
  readonly gatewayImage: string;
}

/** An attacked stack. */
export class Target {
  readonly deployment: Deployment;
  readonly #agent: Agent;

  constructor(deployment: Deployment) {
    this.deployment = deployment;
    this.#agent = this.agent();
  }

  get url(): string {
    const { ca, host, port } = this.deployment;
    return `${ca === undefined ? "http" : "https"}://${host}:${port}`;
  }

  get model(): string {
    return this.deployment.model;
  }

  get containers(): string[] {
    const { edge, gateways, ollamas } = this.deployment.containers;
    return [...(edge === undefined ? [] : [edge]), ...gateways, ...ollamas];
  }

  key(name: KeyName): string {
    return this.deployment.keys.secret(name);
  }

  /** A separate connection pool, without undici's limits, so that only the limits of the stack apply. */
  agent(): Agent {
    const { ca } = this.deployment;
    return new Agent({
      connect: { ...(ca === undefined ? {} : { ca }), timeout: GIVE_UP_MS },
      headersTimeout: GIVE_UP_MS,
      bodyTimeout: GIVE_UP_MS,
    });
  }

  /** Sends a request and reads the complete response. Returns connection errors instead of throwing them. */
  async send(
    path: string,
    { method, key = "attacker", headers, body, withinMs }: SendOptions = {},
  ): Promise<Reply> {
    const began = performance.now();
    const ms = () => Math.round(performance.now() - began);
    const authorization = key === "none" ? {} : { authorization: `Bearer ${this.key(key)}` };
    const type = body === undefined ? {} : { "content-type": "application/json" };
    const raw = typeof body === "string" || body instanceof Buffer ? body : JSON.stringify(body);
    try {
      const response = await request(`${this.url}${path}`, {
        method: method ?? (body === undefined ? "GET" : "POST"),
        dispatcher: this.#agent,
        headers: { ...authorization, ...type, ...headers },
        signal: AbortSignal.timeout(withinMs ?? GIVE_UP_MS),
        ...(body === undefined ? {} : { body: raw }),
      });
      const text = await response.body.text();
      return { status: response.statusCode, headers: response.headers, text, ms: ms() };
    } catch (error) {
      return { status: 0, headers: {}, text: describeError(error), ms: ms() };
    }
  }

  /** Sends a chat completion; `more` overrides fields of the body. */
  chat(more: object = {}, options: SendOptions = {}): Promise<Reply> {
    const messages = [{ role: "user", content: "Count to ten." }];
    const body = { model: this.model, messages, max_tokens: 8, temperature: 0, ...more };
    return this.send("/v1/chat/completions", { body, ...options });
  }

  /** Retries like OpenAI's SDK: twice after a 5xx, 408, 409, 429 or a broken connection, unless `x-should-retry` is false. */
  async sendWithRetries(send: () => Promise<Reply>): Promise<readonly Reply[]> {
    const replies: Reply[] = [];
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const reply = await send();
      replies.push(reply);
      const isRetryable = reply.status === 0 || [408, 409, 429].includes(reply.status) || reply.status >= 500;
      if (!isRetryable || reply.headers["x-should-retry"] === "false") break;
    }
    return replies;
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }
}

/** The message of an error, with its cause. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  return cause instanceof Error ? `${error.message}: ${cause.message}` : error.message;
}

/** A reply on one line, for the report. */
export function summarize({ status, text }: Reply): string {
  return `${status === 0 ? "no response" : status} ${text.replaceAll(/\s+/g, " ").slice(0, 160)}`;
}

export function codeOf({ text }: Reply): string | undefined {
  try {
    return (JSON.parse(text) as { error?: { code?: string } }).error?.code;
  } catch {
    return undefined;
  }
}
