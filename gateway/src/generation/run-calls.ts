import type { FastifyRequest } from "fastify";
import { ApiError, type Subject } from "../errors.ts";
import { raceAbort } from "../lib/race-abort.ts";
import type { EventReader } from "../ollama/generate-stream.ts";
import type { AdmittedRequest } from "../scheduling/admitted-request.ts";
import type { ApiAdapter } from "../apis/adapter.ts";
import type { OllamaClient } from "../ollama/client.ts";
import { isLarge } from "../ollama/proxy-body.ts";
import { maxOutputOf } from "./acquire-quota.ts";
import { isLong, requireContextRoom } from "./prompt-room.ts";
import { enablesThinking, sendWithThinking } from "./think-fallback.ts";

/** The calls, and the parameter that enables thinking if that is only a preference. */
export type RunnableCalls = Pick<ApiAdapter, "call" | "further" | "subject" | "thinking">;

type Call = ApiAdapter["call"];

/** Receives the events of all calls of a request in order. */
interface Reader extends EventReader {
  /** Awaited before the next call is sent, so that a slow client can catch up. */
  beforeNext?(): Promise<void> | undefined;
}

/**
 * Sends the calls of a request to Ollama one after another, so that a request never occupies more than one slot.
 *
 * @throws ApiError of the first call that fails; later calls are not sent
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

/** What all calls of a request share. */
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
      const catchingUp = reader.beforeNext?.();
      if (catchingUp !== undefined) await raceAbort(catchingUp, admitted.signal);
    }
    try {
      await runCall(run, call);
    } catch (thrown) {
      throw withIndexedParam(thrown, subject, index);
    }
  }
}

function runCall(run: Run, call: Call): Promise<void> {
  const { request, admitted } = run;
  const check = isLong(request) ? () => requireContextRoom(admitted, call.body) : undefined;
  return admitted.run((ollama) => sendAsPreferred(run, call, ollama), check);
}

/** Sends a call, with thinking as a preference where it is one. */
function sendAsPreferred(run: Run, call: Call, ollama: OllamaClient): Promise<void> {
  const { thinking, admitted, request } = run;
  if (thinking === undefined || !enablesThinking(call)) return send(run, call, ollama);
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

/** Adds the index of the failed call to an error about the request's subject. */
function withIndexedParam(thrown: unknown, subject: Subject, index: number): unknown {
  if (!(thrown instanceof ApiError) || thrown.param !== subject) return thrown;
  const { code, message } = thrown;
  return new ApiError(code, { message, param: `${subject}[${index}]`, cause: thrown });
}
