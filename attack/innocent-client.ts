import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, fetch } from "undici";
import { describeError, type Target } from "./target.ts";

export interface ClientSummary {
  readonly name: string;
  readonly responses: number;
  readonly failures: number;
  /** ms until the first bytes: the median, and the longest. */
  readonly medianMs: number;
  readonly longestMs: number;
}

// It behaves like a person: a request, a pause to read the response, the next request.
const PAUSE_MS = 250;
const GIVE_UP_MS = 60_000;

/** Uses a stack with its own key during the attack, and must not be affected. It never retries. */
export class InnocentClient {
  readonly #target: Target;
  readonly #waits: number[] = [];
  #failures: string[] = [];
  #failed = 0;
  #responses = 0;
  #running: Promise<void> | undefined;
  #on = false;

  constructor(target: Target) {
    this.#target = target;
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#on = true;
    this.#running = this.#use();
  }

  /** Returns when its last request has ended. */
  async pause(): Promise<void> {
    this.#on = false;
    await this.#running;
    this.#running = undefined;
  }

  /** What went wrong since the last call. */
  failures(): string[] {
    const failures = this.#failures;
    this.#failures = [];
    return failures;
  }

  summary(): ClientSummary {
    const waits = this.#waits.toSorted((one, other) => one - other);
    return {
      name: `innocent client of the stack ${this.#target.place.project.stack}`,
      responses: this.#responses,
      failures: this.#failed,
      medianMs: waits[Math.floor(waits.length / 2)] ?? 0,
      longestMs: waits.at(-1) ?? 0,
    };
  }

  async #use(): Promise<void> {
    let agent = this.#target.agent();
    for (let number = 0; this.#on; number += 1) {
      // Half of the time it makes a new connection, as a client does that was just started.
      if (number % 2 === 0) {
        await agent.close();
        agent = this.#target.agent();
      }
      const failure = await this.#failureOf(number, agent);
      if (failure === undefined) this.#responses += 1;
      else {
        this.#failed += 1;
        this.#failures.push(`an innocent client of the ${this.#target.place.name} got: ${failure}`);
        await agent.destroy();
        agent = this.#target.agent();
      }
      await sleep(PAUSE_MS);
    }
    await agent.destroy();
  }

  async #failureOf(number: number, agent: Agent): Promise<string | undefined> {
    const { model, url } = this.#target;
    const stream = number % 3 !== 0;
    const body = {
      model,
      stream,
      max_tokens: 12,
      seed: number,
      messages: [{ role: "user", content: "Hi!" }],
    };
    const began = performance.now();
    try {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: "POST",
        dispatcher: agent,
        headers: {
          "content-type": "application/json",
          authorization: `Bearer ${this.#target.key("innocent")}`,
        },
        signal: AbortSignal.timeout(GIVE_UP_MS),
        body: JSON.stringify(body),
      });
      this.#waits.push(Math.round(performance.now() - began));
      const text = await response.text();
      const isComplete = text.endsWith(stream ? "data: [DONE]\n\n" : "}") && !text.includes('"error"');
      return response.status === 200 && isComplete ? undefined : `${response.status} ${text.slice(-200)}`;
    } catch (error) {
      return `${describeError(error)} after ${Math.round(performance.now() - began)} ms`;
    }
  }
}
