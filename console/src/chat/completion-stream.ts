import type { ServerSentEvent } from "../lib/sse.ts";
import type { ResponseStats } from "./conversation.ts";

/** The part of a response received so far. */
export interface Completion {
  readonly text: string;
  readonly thinking: string;
  /** Whether the gateway has marked it as complete. */
  readonly isComplete: boolean;
  /** Whether a token limit ended it. */
  readonly isCut: boolean;
  readonly error: string | undefined;
}

interface Chunk {
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null; readonly reasoning_content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly usage?: { readonly prompt_tokens: number; readonly completion_tokens: number } | null;
  readonly error?: { readonly message?: string };
}

/** Collects the chunks of a streamed completion and measures their timing. */
export class CompletionCollector {
  readonly #now: () => number;
  readonly #begun: number;
  #first: number | undefined;
  #last: number | undefined;
  #text = "";
  #thinking = "";
  #isComplete = false;
  #isCut = false;
  #error: string | undefined;
  #usage: Chunk["usage"];

  /** @param now a clock in milliseconds; construct when the request is sent */
  constructor(now: () => number) {
    this.#now = now;
    this.#begun = now();
  }

  add({ data }: ServerSentEvent): void {
    if (data === "[DONE]") {
      this.#isComplete = true;
      return;
    }
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error !== undefined) {
      this.#error = chunk.error.message ?? "The response failed.";
      return;
    }
    this.#usage = chunk.usage ?? this.#usage;
    const [choice] = chunk.choices ?? [];
    if (choice === undefined) return;
    const text = choice.delta?.content ?? "";
    const thinking = choice.delta?.reasoning_content ?? "";
    this.#text += text;
    this.#thinking += thinking;
    if (choice.finish_reason === "length") this.#isCut = true;
    if (text === "" && thinking === "") return;
    this.#last = this.#now();
    this.#first ??= this.#last;
  }

  get completion(): Completion {
    return {
      text: this.#text,
      thinking: this.#thinking,
      isComplete: this.#isComplete,
      isCut: this.#isCut,
      error: this.#error,
    };
  }

  get stats(): ResponseStats {
    const usage = this.#usage ?? undefined;
    const rate = this.#rate(usage?.completion_tokens);
    return {
      totalMs: this.#now() - this.#begun,
      ...(this.#first === undefined ? {} : { firstTokenMs: this.#first - this.#begun }),
      ...(usage === undefined
        ? {}
        : { promptTokens: usage.prompt_tokens, generatedTokens: usage.completion_tokens }),
      ...(rate === undefined ? {} : { tokensPerSecond: rate }),
    };
  }

  /** The time to the first token is prompt processing. */
  #rate(tokens: number | undefined): number | undefined {
    if (tokens === undefined || tokens < 2 || this.#first === undefined || this.#last === undefined)
      return undefined;
    const seconds = (this.#last - this.#first) / 1000;
    return seconds <= 0 ? undefined : (tokens - 1) / seconds;
  }
}
