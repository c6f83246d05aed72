import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { FakeOllama } from "../fakes/ollama/fake-ollama.ts";
import type { ThreadMessage } from "./gateway-thread.ts";

// The lowest of several measurements counts, because a request always needs that much processor time. For one in four,
// the kernel has to find 64 MiB of new memory, which alone takes 50 ms.
const ATTEMPTS = 8;

// Time of the reference work on the machine for which the limits were set. A slower machine, or one whose memory others
// use, slows everything down as much as the reference.
const REFERENCE_MS = 36;

export interface MeasuredResponse {
  readonly status: number;
  readonly text: string;
}

/** A gateway on its own thread, which measures the processor time of each turn of its event loop. */
export class MeasuredGateway {
  readonly #worker: Worker;
  readonly #fake: FakeOllama;
  readonly #url: string;

  private constructor(worker: Worker, fake: FakeOllama, port: number) {
    this.#worker = worker;
    this.#fake = fake;
    this.#url = `http://127.0.0.1:${port}`;
  }

  static async start(fake: FakeOllama): Promise<MeasuredGateway> {
    const worker = new Worker(new URL("gateway-thread.ts", import.meta.url), {
      workerData: { LLM_SERVICE_PORT: `${fake.port}`, LLM_MODEL_ID: "m", LOG_LEVEL: "fatal" },
      resourceLimits: { maxOldGenerationSizeMb: 384 },
    });
    const [port] = (await once(worker, "message")) as [number];
    const gateway = new MeasuredGateway(worker, fake, port);
    // Warms up, because the first request includes compilation.
    await gateway.#longestTurn(
      "/v1/chat/completions",
      '{"model":"m","messages":[{"role":"user","content":"Hi"}]}',
      Infinity,
    );
    return gateway;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  /**
   * Sends a request without measuring it.
   *
   * @param body undefined for a GET
   */
  async send(path: string, body: string | undefined): Promise<MeasuredResponse> {
    const headers = { "content-type": "application/json" };
    const init = body === undefined ? {} : { method: "POST", headers, body };
    const response = await fetch(this.#url + path, init);
    // The stream of an invalid request breaks off.
    const text = await response.text().catch(() => "");
    return { status: response.status, text };
  }

  /**
   * Sends a request several times, until one stays within a limit.
   *
   * @param body undefined for a GET
   * @param check is called with each response
   *
   * @returns the lowest time of the longest turn of the event loop, in ms of processor time on the reference machine
   */
  async leastLongestTurn(
    path: string,
    body: string | undefined,
    limitMs: number,
    check: (response: MeasuredResponse) => void,
  ): Promise<number> {
    let least = Infinity;
    for (let n = 0; n < ATTEMPTS && least >= limitMs; n += 1) {
      const { ms, response } = await this.#longestTurn(path, body, limitMs);
      check(response);
      least = Math.min(least, ms);
    }
    return least;
  }

  async #longestTurn(
    path: string,
    body: string | undefined,
    limitMs: number,
  ): Promise<{ ms: number; response: MeasuredResponse }> {
    await this.#request("begin");
    const response = await this.send(path, body);
    const longestMs = await this.#request("end");
    // The reference work takes longer than most requests, and could only lower a time that is within the limit already.
    const slowdown = longestMs < limitMs ? 1 : (await this.#request("reference")) / REFERENCE_MS;
    this.#fake.received.length = 0;
    return { ms: longestMs / Math.max(1, slowdown), response };
  }

  async #request(message: ThreadMessage): Promise<number> {
    this.#worker.postMessage(message);
    const [ms] = (await once(this.#worker, "message")) as [number];
    return ms;
  }
}
