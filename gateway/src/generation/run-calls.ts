import { once } from "node:events";
import type { FastifyRequest } from "fastify";
import { ApiError, type Subject } from "../errors.ts";
import type { EventReader } from "../ollama/generate-stream.ts";
import type { AdmittedRequest } from "../scheduling/admitted-request.ts";
import type { ApiAdapter } from "../apis/adapter.ts";
import { isLarge } from "../ollama/proxy-body.ts";
import { maxOutputOf } from "./acquire-quota.ts";
import { isLong, requireRoom } from "./prompt-room.ts";
import { asksToThink, sendWithThinking } from "./think-fallback.ts";

/** The calls, and the parameter that has the model think, where that is only a preference. */
export type RunnableCalls = Pick<ApiAdapter, "call" | "further" | "subject" | "thinking">;

/** Takes the events of all calls of a request, one call after another. */
interface Reader extends EventReader {
  /** Has to be over before the next call is asked; a client that is behind is waited for so. */
  beforeNext?(): Promise<void> | undefined;
}

/**
 * Asks Ollama what a request asks for, one call after another, so that a request never has more than one slot. Each call
 * waits for a slot.
 *
 * @throws ApiError of the first call that failed; those after it are not asked
 */
export async function runCalls(
  request: FastifyRequest,
  { call, further = [], subject, thinking }: RunnableCalls,
  admitted: AdmittedRequest,
  reader: Reader,
): Promise<void> {
  const { record, consumer } = request;
  const ask = (asked: ApiAdapter["call"]): Promise<void> =>
    admitted.run((ollama) => {
      const sendCall = (each: ApiAdapter["call"]): Promise<void> => {
        record.beginCall(each.body, maxOutputOf(each.body));
        const sent = isLarge(request.bodyCost) ? { ...each, isLarge: true } : each;
        return ollama.generate(sent, admitted, reader, record.trace?.traceparent);
      };
      const send = (): Promise<void> =>
        thinking === undefined || !asksToThink(asked)
          ? sendCall(asked)
          : sendWithThinking(asked, admitted, sendCall, () => {
              record.ignore(thinking);
            });
      return isLong(request) ? requireRoom(admitted, asked.body).then(send) : send();
    });
  if (further.length === 0) return ask(call);
  for (const [index, each] of [call, ...further].entries()) {
    if (index > 0) {
      admitted.next({ ...each, subject, consumer });
      const refusal = consumer.limits.canContinue(record.tokens(), request.reservation);
      if (refusal !== undefined) throw refusal;
      const behind = reader.beforeNext?.();
      if (behind !== undefined) await unlessGivenUp(admitted, behind);
    }
    try {
      await ask(each);
    } catch (thrown) {
      throw namingPart(thrown, subject, index);
    }
  }
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
