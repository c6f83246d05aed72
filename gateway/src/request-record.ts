import type { Admitted } from "./admission.ts";
import type { ApiError } from "./errors.ts";
import type { OllamaEvent } from "./ollama/types.ts";
import { type Usage, usageOf } from "./translate/chat-answer.ts";

const NS_PER_MS = 1e6;

/** What came of one request, for its log line and its metrics. Never holds a prompt or an answer. */
export class RequestRecord {
  readonly #startedAt = performance.now();
  model: string | undefined;
  stream: boolean | undefined;
  error: ApiError | undefined;
  usage: Usage | undefined;
  /** Set while a request generates. */
  admitted: Admitted | undefined;
  /** How long the client waited for the first token; estimated for a whole answer by what Ollama says of itself. */
  firstTokenMs: number | undefined;

  elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Takes note of an event of the answer, after it was read. */
  note(event: OllamaEvent): void {
    if (this.firstTokenMs === undefined) {
      const generating = event.done === true ? (event.eval_duration ?? 0) / NS_PER_MS : 0;
      this.firstTokenMs = Math.max(0, this.elapsedMs() - generating);
    }
    if (event.done === true) this.usage = usageOf(event);
  }
}

declare module "fastify" {
  interface FastifyRequest {
    record: RequestRecord;
  }
}
