import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError, type Subject } from "../errors.ts";
import { estimatePromptTokens } from "../ollama/prompt-size.ts";

/** Why a request is refused, as its key's limits say it. */
type Verdict = ReturnType<FastifyRequest["consumer"]["limits"]["acquireMore"]>;

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
): Promise<void> | undefined {
  const { limits } = request.consumer;
  if (!limits.limitsTokens && requests <= 1) return undefined;
  const reserved = limits.limitsTokens ? reserve(request, reply, bodies, output) : undefined;
  const more = (refusal: ApiError | undefined): Verdict =>
    refusal ?? limits.acquireMore(requests - 1, subject);
  const end = (refusal: ApiError | undefined): void => {
    void reply.headers(limits.headers(request.url));
    if (refusal !== undefined) throw refusal;
  };
  // Hardly ever is there something to wait for, and each wait costs a request more than the check.
  const verdict = reserved instanceof Promise ? reserved.then(more) : more(reserved);
  if (verdict instanceof Promise) return verdict.then(end);
  end(verdict);
  return undefined;
}

/** Sets tokens aside for a request. */
function reserve(
  request: FastifyRequest,
  reply: FastifyReply,
  bodies: readonly object[],
  output: number | undefined,
): Verdict {
  const { consumer, record } = request;
  const prompt = bodies.reduce((sum, body) => sum + estimatePromptTokens(body), 0);
  const most = output ?? bodies.reduce((sum, body) => sum + maxOutputOf(body), 0);
  const reserved = consumer.limits.reserve({ prompt, output: most }, () => record.tokens());
  const keep = (result: Awaited<typeof reserved>): ApiError | undefined => {
    if (result instanceof ApiError) return result;
    request.reservation = result;
    if (result === undefined || !reply.raw.destroyed) return undefined;
    // Its client has left while the other gateways were asked.
    consumer.limits.cancel(result);
    return new ApiError("client_left");
  };
  return reserved instanceof Promise ? reserved.then(keep) : keep(reserved);
}

/**
 * Ends the setting aside: from now on what the request has used counts. Called before the response can have reached its
 * client, whose next request must not find the tokens taken.
 */
export function settleQuota({ reservation, consumer }: FastifyRequest): void {
  if (reservation !== undefined) consumer.limits.settle(reservation);
}

/** How many tokens a call may generate at most; infinitely many when it does not say. */
export function maxOutputOf(body: object): number {
  const { options } = body as { options?: { readonly num_predict?: unknown } | null };
  const limit = options?.num_predict;
  return typeof limit === "number" && limit > 0 ? limit : Infinity;
}
