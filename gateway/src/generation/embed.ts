import type { FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import type { AppContext } from "../app-context.ts";
import { type EmbeddingsJson, readEmbeddings } from "../ollama/embeddings-json.ts";
import type { UnaryRequest } from "../ollama/types.ts";
import { isLarge } from "../ollama/proxy-body.ts";
import { acquireQuota, settleQuota } from "./acquire-quota.ts";
import { isLong, requireContextRoom } from "./prompt-room.ts";
import { shareModel } from "./shared-model.ts";

/** Encodes each vector, from its numbers or from their JSON. */
type EncodeVector = Parameters<typeof readEmbeddings>[1];

/** Ollama's response to an embedding request, raw and parsed. */
type Embeddings = EmbeddingsJson & { readonly json: Buffer };

/**
 * Requests embeddings from Ollama. Admission, quotas and metrics are the same as for generation.
 *
 * @throws ApiError
 */
export async function embed(
  gateway: AppContext,
  request: FastifyRequest,
  reply: FastifyReply,
  original: UnaryRequest & { readonly model: string },
  encode: EncodeVector,
): Promise<Embeddings> {
  const { record, consumer } = request;
  const shared = consumer.options ? undefined : shareModel(original.body ?? {}, request.body, gateway);
  const call = shared === undefined ? original : { ...original, body: shared.body };
  record.model = call.model;
  record.stream = false;
  const { path, body = {} } = call;
  const { input } = body as { input?: unknown };
  const acquiring = acquireQuota(request, reply, {
    bodies: [body],
    subject: "input",
    requests: Array.isArray(input) ? input.length : 1,
    output: 0,
  });
  if (acquiring !== undefined) await acquiring;
  // The client may have disconnected during a wait.
  if (reply.raw.destroyed) throw record.error ?? new ApiError("client_left");
  const neededContext = shared?.context;
  const admitted = gateway.scheduler.admit({ path, body, subject: "input", consumer, neededContext });
  record.admitted = admitted;
  try {
    const sent = { ...call, isLarge: isLarge(request.bodyCost) };
    const options = {
      signal: admitted.signal,
      traceparent: record.trace?.traceparent,
      onLength: (bytes: number) => {
        chargeResponse(gateway, request, bytes, "The embeddings", "Send fewer texts in a request");
      },
    };
    const check = isLong(request) ? () => requireContextRoom(admitted, body) : undefined;
    const embeddings = await admitted.run(async (ollama) => {
      record.beginCall(body, 0);
      const json = await ollama.requestJson(sent, options);
      return { json, ...(await readEmbeddings(json, encode)) };
    }, check);
    record.noteEmbeddings(embeddings.counts, body);
    void reply.header("server-timing", record.serverTiming());
    return embeddings;
  } finally {
    admitted.leave();
    settleQuota(request);
  }
}

/**
 * Charges a response to the body budget, as it is held in memory until its client has read it.
 *
 * @throws ApiError `bodies_full`
 */
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

/**
 * Sends a request that needs no model and therefore no slot. Times out after `PROBE_TIMEOUT_MS`.
 *
 * @throws ApiError
 */
export function requestServer({ backends, config }: AppContext, call: UnaryRequest): Promise<unknown> {
  return withTimeout(config.PROBE_TIMEOUT_MS, (signal) => backends.request(call, signal));
}

/**
 * Like `requestServer`, but returns the raw JSON and charges it to the body budget until the client has read it. Aborted
 * if the client disconnects, because nobody is charged for it from then on.
 *
 * @throws ApiError
 */
export function requestServerJson(
  gateway: AppContext,
  request: FastifyRequest,
  reply: FastifyReply,
  call: UnaryRequest,
  timeoutMs: number,
): Promise<Buffer> {
  const disconnected = new AbortController();
  reply.raw.once("close", () => {
    disconnected.abort(new ApiError("client_left"));
  });
  const onLength = (bytes: number): void => {
    chargeResponse(gateway, request, bytes, "The details of the model", "Leave 'verbose' out");
  };
  return withTimeout(timeoutMs, (timeout) => {
    const signal = AbortSignal.any([timeout, disconnected.signal]);
    return gateway.backends.requestJson(call, { signal, onLength });
  });
}

async function withTimeout<Result>(
  timeoutMs: number,
  request: (timeout: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    return await request(timeout);
  } catch (cause) {
    throw timeout.aborted ? new ApiError("upstream_unreachable", { cause }) : cause;
  }
}
