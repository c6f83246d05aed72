import { once } from "node:events";
import type { FastifyRequest } from "fastify";
import { ApiError, type Subject } from "../errors.ts";
import type { EventReader } from "../ollama/generate-stream.ts";
import type { AdmittedRequest } from "../scheduling/admitted-request.ts";
import type { ApiAdapter } from "../apis/adapter.ts";
import type { OllamaClient } from "../ollama/client.ts";
import { isLarge } from "../ollama/proxy-body.ts";
import { maxOutputOf } from "./acquire-quota.ts";
import { isLong, requireRoom } from "./prompt-room.ts";
import { asksToThink, sendWithThinking } from "./think-fallback.ts";

/** The calls, and the parameter that has the model think, where that is only a preference. */
export type RunnableCalls = Pick<ApiAdapter, "call" | "further" | "subject" | "thinking">;

type Call = ApiAdapter["call"];

/** Takes the events of all calls of a request, one call after another. */
interface Reader extends EventReader {
  /** Has to be over before the next call is sent; a client that is behind is waited for so. */
  beforeNext?(): Promise<void> | undefined;
}

/**
 * Sends the calls of a request to Ollama, one after another, so that a request never has more than one slot. Each call
 * waits for a slot.
 *
 * @throws ApiError of the first call that failed; those after it are not sent
 */
export function runCalls(
  request: FastifyRequest,
  calls: RunnableCalls,
  admitted: AdmittedRequest,
  reader: Reader,
): Promise<void> {
  const { call, further, thinking } = calls;
  const run = { request, admitted, reader, thinking };
  return further === undefined || further.length === 0
    ? runCall(run, call)
    : runInTurn(run, [call, ...further], calls.subject);
}

/** What all calls of a request have in common. */
interface Run extends Pick<RunnableCalls, "thinking"> {
  readonly request: FastifyRequest;
  readonly admitted: AdmittedRequest;
  readonly reader: Reader;
}

async function runInTurn(run: Run, calls: readonly Call[], subject: Subject): Promise<void> {
  const { admitted, reader } = run;
  const { record, consumer, reservation } = run.request;
  for (const [index, call] of calls.entries()) {
    if (index > 0) {
      admitted.next({ ...call, subject, consumer });
      const refusal = consumer.limits.canContinue(record.tokens(), reservation);
      if (refusal !== undefined) throw refusal;
      const behind = reader.beforeNext?.();
      if (behind !== undefined) await unlessGivenUp(admitted, behind);
    }
    try {
      await runCall(run, call);
    } catch (thrown) {
      throw namingPart(thrown, subject, index);
    }
  }
}

function runCall(run: Run, call: Call): Promise<void> {
  const { request, admitted } = run;
  return admitted.run((ollama) =>
    isLong(request)
      ? requireRoom(admitted, call.body).then(() => sendAsPreferred(run, call, ollama))
      : sendAsPreferred(run, call, ollama),
  );
}

/** Has the model think, where that is a preference, as far as it can. */
function sendAsPreferred(run: Run, call: Call, ollama: OllamaClient): Promise<void> {
  const { thinking, admitted, request } = run;
  if (thinking === undefined || !asksToThink(call)) return send(run, call, ollama);
  return sendWithThinking(
    call,
    admitted,
    (each) => send(run, each, ollama),
    () => {
      request.record.ignore(thinking);
    },
  );
}

function send({ request, admitted, reader }: Run, call: Call, ollama: OllamaClient): Promise<void> {
  const { record } = request;
  record.beginCall(call.body, maxOutputOf(call.body));
  const sent = isLarge(request.bodyCost) ? { ...call, isLarge: true } : call;
  return ollama.generate(sent, admitted, reader, record.trace?.traceparent);
}

/** Waits, unless the request is given up meanwhile. @throws ApiError why */
async function unlessGivenUp(admitted: AdmittedRequest, waiting: Promise<void>): Promise<void> {
  const { signal } = admitted;
  if (!signal.aborted) await Promise.race([waiting, once(signal, "abort")]);
  if (admitted.abortReason !== undefined) throw admitted.abortReason;
}

/** An error that names what is to be answered says which part of it is meant. */
function namingPart(thrown: unknown, subject: Subject, index: number): unknown {
  if (!(thrown instanceof ApiError) || thrown.param !== subject) return thrown;
  const { code, message } = thrown;
  return new ApiError(code, { message, param: `${subject}[${index}]`, cause: thrown });
}
