import { type ClientRequest, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";

/** The outcome of a client's request. */
export interface Outcome {
  /** "complete": the stream ended properly; "error": the gateway sent an error; "failed": it sent none. */
  readonly kind: "complete" | "error" | "failed";
  readonly begunAt: number;
  readonly endedAt: number;
  /** Details of the failure. */
  readonly detail: string;
}

interface Options {
  readonly url: string;
  readonly key: string;
  readonly model: string;
  readonly count: number;
  readonly tokens: number;
}

// Clients keep retrying an unreachable gateway, at intervals that limit the list of outcomes.
const pauseMs = 200;

/** Clients that stream chats one after another, each on a new connection. */
export class StreamingClients {
  readonly outcomes: Outcome[] = [];
  readonly #options: Options;
  readonly #loops: readonly Promise<void>[];
  readonly #inFlight = new Set<ClientRequest>();
  #stopping = false;
  #isAborted = false;

  constructor(options: Options) {
    this.#options = options;
    this.#loops = Array.from({ length: options.count }, (_, client) => this.#run(client));
  }

  /** Outcomes other than "complete". */
  get failures(): readonly Outcome[] {
    return this.outcomes.filter(({ kind }) => kind !== "complete");
  }

  get completed(): number {
    return this.outcomes.length - this.failures.length;
  }

  /** Outcomes of requests that began after a time. */
  failuresSince(time: number): readonly Outcome[] {
    return this.failures.filter(({ begunAt }) => begunAt > time);
  }

  /** Waits until a number of further requests are complete. */
  async completeMore(count: number): Promise<void> {
    const { completed } = this;
    await expect.poll(() => this.completed).toBeGreaterThan(completed + count);
  }

  /** Stops the clients after their current requests. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#loops);
  }

  /** Aborts the clients without recording their current requests. */
  async abort(): Promise<void> {
    this.#stopping = true;
    this.#isAborted = true;
    for (const request of this.#inFlight) request.destroy();
    await Promise.all(this.#loops);
  }

  async #run(client: number): Promise<void> {
    for (let n = 1; !this.#stopping; n++) {
      const begunAt = Date.now();
      const { kind, detail } = await this.#stream(`${String(client)}.${String(n)}`);
      if (this.#isAborted) break;
      this.outcomes.push({ kind, detail, begunAt, endedAt: Date.now() });
      if (kind === "failed") await sleep(pauseMs);
    }
  }

  #stream(name: string): Promise<Pick<Outcome, "kind" | "detail">> {
    const { url, key, model, tokens } = this.#options;
    const body = {
      model,
      stream: true,
      max_tokens: tokens,
      // Each is a new conversation, because affinity sends a repeated one to its previous server.
      messages: [{ role: "user", content: `Write a long story about number ${name}.` }],
    };
    return new Promise((resolve) => {
      let text = "";
      const end = (problem = "") => {
        const isComplete = /data: \[DONE\]\s*$/.test(text) && !text.includes('"error"');
        const kind = isComplete ? "complete" : /(^|data: )\{"error"/m.test(text) ? "error" : "failed";
        this.#inFlight.delete(sent);
        resolve({ kind, detail: isComplete ? "" : `${problem} ${text.slice(-300)}` });
      };
      const sent = request(`${url}/v1/chat/completions`, {
        agent: false,
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      });
      this.#inFlight.add(sent);
      sent.once("error", (error) => {
        end(error.message);
      });
      sent.once("response", (response) => {
        response.setEncoding("utf8").on("data", (piece: string) => {
          text += piece;
        });
        response.once("error", (error) => {
          end(error.message);
        });
        response.once("end", () => {
          end(`status ${String(response.statusCode)}`);
        });
      });
      sent.end(JSON.stringify(body));
    });
  }
}
