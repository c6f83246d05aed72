import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import type { AppContext } from "../app-context.ts";
import { type EmbeddingsJson, readEmbeddings } from "../ollama/embeddings-json.ts";
import type { UnaryRequest } from "../ollama/types.ts";
import { isLarge } from "../ollama/proxy-body.ts";
import { acquireQuota, settleQuota } from "./acquire-quota.ts";
import { isLong, requireRoom } from "./prompt-room.ts";
import { shareModel } from "./shared-model.ts";

/** What is made of each vector: of its numbers, or of their JSON. */
type EncodeVector = Parameters<typeof readEmbeddings>[1];

/** Ollama's response to an embedding request, as it came and as it was read. */
type Embeddings = EmbeddingsJson & { readonly json: Buffer };

/**
 * Asks Ollama for embeddings on behalf of a request: let in, ended and measured like one that generates.
 *
 * @throws ApiError
 */
export async function embed(
  gateway: AppContext,
  request: FastifyRequest,
  reply: FastifyReply,
  given: UnaryRequest & { readonly model: string },
  encode: EncodeVector,
): Promise<Embeddings> {
  const { record, consumer } = request;
  const shared = consumer.options ? undefined : shareModel(given.body ?? {}, request.body, gateway);
  const question = shared === undefined ? given : { ...given, body: shared.body };
  record.model = question.model;
  record.stream = false;
  const { path, body = {} } = question;
  const { input } = body as { input?: unknown };
  const acquiring = acquireQuota(request, reply, {
    bodies: [body],
    subject: "input",
    requests: Array.isArray(input) ? input.length : 1,
    output: 0,
  });
  if (acquiring !== undefined) await acquiring;
  // While something was waited for, the client may have left.
  if (reply.raw.destroyed) throw record.error ?? new ApiError("client_left");
  const neededContext = shared?.context;
  const admitted = gateway.scheduler.admit({ path, body, subject: "input", consumer, neededContext });
  record.admitted = admitted;
  try {
    const sent = { ...question, isLarge: isLarge(request.bodyCost) };
    const options = {
      signal: admitted.signal,
      traceparent: record.trace?.traceparent,
      onLength: (bytes: number) => {
        chargeResponse(gateway, request, bytes, "The embeddings", "Send fewer texts in a request");
      },
    };
    const embeddings = await admitted.run(async (ollama) => {
      if (isLong(request)) await requireRoom(admitted, body);
      record.beginCall(body, 0);
      const json = await ollama.requestJson(sent, options);
      return { json, ...(await readEmbeddings(json, encode)) };
    });
    record.noteEmbeddings(embeddings.counts, body);
    void reply.header("server-timing", record.serverTiming());
    return embeddings;
  } finally {
    admitted.leave();
    settleQuota(request);
  }
}

/** Counts a response with the bodies: it is held until its client has read it. @throws ApiError `bodies_full` */
function chargeResponse(
  { bodies }: AppContext,
  request: FastifyRequest,
  bytes: number,
  what: string,
  advice: string,
): void {
  if (bodies.charge(request, bytes)) return;
  throw new ApiError("bodies_full", {
    message:
      `${what} exceed the memory budget of the gateway (BODIES_LIMIT_BYTES), or the key's share of it. ` +
      `${advice}, or retry shortly.`,
  });
}

/** Asks Ollama what it knows without a model at work, so without waiting for a place. @throws ApiError */
export function requestServer({ backends, config }: AppContext, question: UnaryRequest): Promise<unknown> {
  return within(config.PROBE_TIMEOUT_MS, (signal) => backends.request(question, signal));
}

/**
 * The same, with the response's JSON as it comes. It counts with the bodies until its client has read it.
 *
 * @throws ApiError
 */
export function requestServerJson(
  gateway: AppContext,
  request: FastifyRequest,
  question: UnaryRequest,
  timeoutMs: number,
): Promise<Buffer> {
  const onLength = (bytes: number): void => {
    chargeResponse(gateway, request, bytes, "The details of the model", "Leave 'verbose' out");
  };
  return within(timeoutMs, (signal) => gateway.backends.requestJson(question, { signal, onLength }));
}

async function within<Result>(
  timeoutMs: number,
  request: (overdue: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const overdue = AbortSignal.timeout(timeoutMs);
  try {
    return await request(overdue);
  } catch (cause) {
    throw overdue.aborted ? new ApiError("upstream_unreachable", { cause }) : cause;
  }
}
