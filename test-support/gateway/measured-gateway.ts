import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { FakeOllama } from "../fakes/ollama/fake-ollama.ts";

// What a request needs of the processor it needs each time: the least of several measurements counts. For one in four,
// the kernel has to find 64 MiB of fresh memory, which alone takes 50 ms.
const ATTEMPTS = 8;

// What the reference takes on a machine that the limits are meant for. Memory that others use at the same time, and a
// slower machine, make everything as much slower as they make the reference.
const REFERENCE_MS = 36;

export interface MeasuredResponse {
  readonly status: number;
  readonly text: string;
}

interface Measured {
  readonly longestMs: number;
  readonly referenceMs: number;
}

/** A gateway on a thread of its own, which measures how long each turn of its event loop keeps the processor. */
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
    // The first request pays for what is compiled.
    await gateway.#longestTurn(
      "/v1/chat/completions",
      '{"model":"m","messages":[{"role":"user","content":"Hi"}]}',
    );
    return gateway;
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  /**
   * Sends a request several times, until one stays within a limit.
   *
   * @param check looks at each response
   *
   * @returns what the longest turn of the event loop took at best, ms of the processor of a machine that is not slow
   */
  async leastLongestTurn(
    path: string,
    body: string,
    limitMs: number,
    check: (response: MeasuredResponse) => void,
  ): Promise<number> {
    let least = Infinity;
    for (let n = 0; n < ATTEMPTS && least >= limitMs; n += 1) {
      const { ms, response } = await this.#longestTurn(path, body);
      check(response);
      least = Math.min(least, ms);
    }
    return least;
  }

  async #longestTurn(path: string, body: string): Promise<{ ms: number; response: MeasuredResponse }> {
    this.#worker.postMessage("begin");
    await once(this.#worker, "message");
    const headers = { "content-type": "application/json" };
    const response = await fetch(this.#url + path, { method: "POST", headers, body });
    // A stream whose request turns out wrong breaks off.
    const text = await response.text().catch(() => "");
    this.#worker.postMessage("end");
    const [{ longestMs, referenceMs }] = (await once(this.#worker, "message")) as [Measured];
    const ms = longestMs / Math.max(1, referenceMs / REFERENCE_MS);
    this.#fake.received.length = 0;
    return { ms, response: { status: response.status, text } };
  }
}
