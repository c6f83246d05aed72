import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError, type Subject } from "../errors.ts";
import { estimatePromptTokens } from "../ollama/prompt-size.ts";

/** The error that the key's limits reject a request with; undefined when they admit it. */
type Verdict = ReturnType<FastifyRequest["consumer"]["limits"]["acquireMore"]>;

/** What to charge to a key's limits for a request. */
interface Charge {
  /** Bodies of the request's calls to Ollama. */
  readonly bodies: readonly object[];
  /** Parameter that holds the prompt or the texts. */
  readonly subject: Subject;
  /** Number of requests to charge. Default: one per call. */
  readonly requests?: number;
  /** Maximum number of tokens to generate. Default: the sum of the calls' `num_predict`. */
  readonly output?: number;
}

/**
 * Charges a request to its key's limits: each prompt or text counts as one request, and the expected tokens are
 * reserved until the request ends.
 *
 * @returns undefined if the limits were checked without waiting
 * @throws ApiError `rate_limit_exceeded`, or `invalid_value` if the request exceeds a limit on its own
 */
export function acquireQuota(
  request: FastifyRequest,
  reply: FastifyReply,
  { bodies, subject, requests = bodies.length, output }: Charge,
): Promise<void> | undefined {
  const { limits } = request.consumer;
  if (!limits.limitsTokens && requests <= 1) return undefined;
  const reserved = limits.limitsTokens ? reserve(request, reply, bodies, output) : undefined;
  const acquireRequests = (refusal: ApiError | undefined): Verdict =>
    refusal ?? limits.acquireMore(requests - 1, subject);
  const finish = (refusal: ApiError | undefined): void => {
    void reply.headers(limits.headers(request.url));
    if (refusal !== undefined) throw refusal;
  };
  // The verdict is almost always synchronous, and an `await` costs more than this check.
  const verdict = reserved instanceof Promise ? reserved.then(acquireRequests) : acquireRequests(reserved);
  if (verdict instanceof Promise) return verdict.then(finish);
  finish(verdict);
  return undefined;
}

/** Reserves tokens for a request. */
function reserve(
  request: FastifyRequest,
  reply: FastifyReply,
  bodies: readonly object[],
  output: number | undefined,
): Verdict {
  const { consumer, record } = request;
  const prompt = bodies.reduce((sum, body) => sum + estimatePromptTokens(body), 0);
  const maxOutput = output ?? bodies.reduce((sum, body) => sum + maxOutputOf(body), 0);
  const reserved = consumer.limits.reserve({ prompt, output: maxOutput }, () => record.tokens());
  const keep = (result: Awaited<typeof reserved>): ApiError | undefined => {
    if (result instanceof ApiError) return result;
    request.reservation = result;
    if (result === undefined || !reply.raw.destroyed) return undefined;
    // The client disconnected while the shared limits were checked.
    consumer.limits.cancel(result);
    return new ApiError("client_left");
  };
  return reserved instanceof Promise ? reserved.then(keep) : keep(reserved);
}

/**
 * Replaces the reservation by the tokens actually used. Must run before the client can receive the end of the response,
 * or its next request still finds them reserved.
 */
export function settleQuota({ reservation, consumer }: FastifyRequest): void {
  if (reservation !== undefined) consumer.limits.settle(reservation);
}

/** Maximum number of tokens that a call may generate; Infinity without a limit. */
export function maxOutputOf(body: object): number {
  const { options } = body as { options?: { readonly num_predict?: unknown } | null };
  const limit = options?.num_predict;
  return typeof limit === "number" && limit > 0 ? limit : Infinity;
}
