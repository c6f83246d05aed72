import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError, type Subject } from "../errors.ts";
import { estimatePromptTokens } from "../ollama/prompt-size.ts";

/** What a request has Ollama do. */
interface Work {
  /** The bodies of its calls to Ollama. */
  readonly bodies: readonly object[];
  /** The parameter that holds what is to be answered. */
  readonly subject: Subject;
  /** How many requests it counts as; by default one for each call. */
  readonly requests?: number;
  /** How many tokens it may generate at most; by default what its calls say. */
  readonly output?: number;
}

/**
 * Takes from the limits of a request's key what the request stands for: each prompt or text counts as a request, and the
 * tokens that it is expected to take are set aside until it has ended.
 *
 * @throws ApiError `rate_limit_exceeded`, or `invalid_value` when the limits never let it in
 */
export function acquireQuota(
  request: FastifyRequest,
  reply: FastifyReply,
  { bodies, subject, requests = bodies.length, output }: Work,
): void {
  const {
    consumer: { limits },
    record,
  } = request;
  if (!limits.limitsTokens && requests <= 1) return;
  let refusal: ApiError | undefined;
  if (limits.limitsTokens) {
    const prompt = bodies.reduce((sum, body) => sum + estimatePromptTokens(body), 0);
    const most = output ?? bodies.reduce((sum, body) => sum + maxOutputOf(body), 0);
    const reserved = limits.reserve({ prompt, output: most }, () => record.tokens());
    if (reserved instanceof ApiError) refusal = reserved;
    else request.reservation = reserved;
  }
  refusal ??= limits.acquireMore(requests - 1, subject);
  void reply.headers(limits.headers(request.url));
  if (refusal !== undefined) throw refusal;
}

/**
 * Ends the setting aside: from now on what the request has used counts. Called before the response can have reached its
 * client, whose next request must not find the tokens taken.
 */
export function settleQuota({ reservation }: FastifyRequest): void {
  if (reservation !== undefined) reservation.tokens = 0;
}

/** How many tokens a call may generate at most; infinitely many when it does not say. */
export function maxOutputOf(body: object): number {
  const { options } = body as { options?: { readonly num_predict?: unknown } | null };
  const limit = options?.num_predict;
  return typeof limit === "number" && limit > 0 ? limit : Infinity;
}
