import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, fetch } from "undici";
import { describeError, type Target } from "./target.ts";

export interface ClientSummary {
  readonly name: string;
  readonly responses: number;
  readonly failures: number;
  /** Milliseconds until the response headers. */
  readonly medianMs: number;
  readonly longestMs: number;
}

// Like a person, who reads a response before the next request.
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
  #isOn = false;

  constructor(target: Target) {
    this.#target = target;
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#isOn = true;
    this.#running = this.#use();
  }

  /** Resolves when its last request has ended. */
  async pause(): Promise<void> {
    this.#isOn = false;
    await this.#running;
    this.#running = undefined;
  }

  /** The failures since the last call. */
  failures(): string[] {
    const failures = this.#failures;
    this.#failures = [];
    return failures;
  }

  summary(): ClientSummary {
    const waits = this.#waits.toSorted((one, other) => one - other);
    return {
      name: `innocent client of the stack ${this.#target.deployment.project.stack}`,
      responses: this.#responses,
      failures: this.#failed,
      medianMs: waits[Math.floor(waits.length / 2)] ?? 0,
      longestMs: waits.at(-1) ?? 0,
    };
  }

  async #use(): Promise<void> {
    let agent = this.#target.agent();
    for (let number = 0; this.#isOn; number += 1) {
      // Every second request uses a new connection, like a client that has just started.
      if (number % 2 === 0) {
        await agent.close();
        agent = this.#target.agent();
      }
      const failure = await this.#sendRequest(number, agent);
      if (failure === undefined) this.#responses += 1;
      else {
        this.#failed += 1;
        this.#failures.push(`an innocent client of the ${this.#target.deployment.name} got: ${failure}`);
        await agent.destroy();
        agent = this.#target.agent();
      }
      await sleep(PAUSE_MS);
    }
    await agent.destroy();
  }

  /** Returns the failure, or undefined. */
  async #sendRequest(number: number, agent: Agent): Promise<string | undefined> {
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
