import type { FastifyReply, FastifyRequest } from "fastify";
import { ResponseStream } from "./response-stream.ts";
import { ApiError, toApiError } from "../errors.ts";
import type { AppContext } from "../app-context.ts";
import { IGNORED_KEYWORDS_HEADER, ignoredHeader } from "../apis/common/ignored-headers.ts";
import type { OllamaEvent } from "../ollama/types.ts";
import type { AdmittedRequest } from "../scheduling/admitted-request.ts";
import type { ApiAdapter } from "../apis/adapter.ts";
import type { NeededContext } from "../backends/loaded-models.ts";
import { acquireQuota, settleQuota } from "./acquire-quota.ts";
import { setIgnoredHeader } from "./ignored-header.ts";
import { type RunnableCalls, runCalls } from "./run-calls.ts";
import { runsAsLoaded, shareModel } from "./shared-model.ts";
import { requireKnownTokens } from "./context-check.ts";
import { requireCompletion } from "./completion-check.ts";
import { requireVisionSupport } from "./vision-check.ts";

interface Generation {
  readonly gateway: AppContext;
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  readonly asked: ApiAdapter;
  readonly adapt: (event: OllamaEvent) => OllamaEvent;
  readonly admitted: AdmittedRequest;
}

/**
 * Answers a request, as a stream or whole: the one way to Ollama and back, for every route that generates.
 *
 * @throws ApiError as long as nothing has been sent
 */
export async function generate(
  gateway: AppContext,
  request: FastifyRequest,
  reply: FastifyReply,
  given: ApiAdapter,
): Promise<void> {
  const { record } = request;
  const { asked, neededContext } = share(gateway, request, given);
  const { model, stream } = asked.call.body;
  record.model = model;
  record.stream = stream;
  const { call, subject, images, thinking } = asked;
  const bodies = bodiesOf(asked);
  if (gateway.config.LOG_TEXT === "on") record.keepText(bodies);
  if (asked.ignoredKeywords !== undefined) {
    void reply.header(IGNORED_KEYWORDS_HEADER, ignoredHeader(asked.ignoredKeywords));
  }
  const checking = requireCompletion(gateway, asked, request);
  if (checking !== undefined) await checking;
  const acquiring = acquireQuota(request, reply, { bodies, subject });
  if (acquiring !== undefined) await acquiring;
  // While something was waited for, the client may have left.
  if (reply.raw.destroyed) throw record.error ?? new ApiError("client_left");
  const { consumer } = request;
  const admitted = gateway.scheduler.admit({ ...call, subject, images, thinking, consumer, neededContext });
  record.admitted = admitted;
  try {
    // Hardly ever is there something to wait for, and each wait costs a request more than the check.
    const seen = requireVisionSupport(gateway.backends, asked, admitted);
    const visible = seen instanceof Promise ? await seen : seen;
    const looking = requireKnownTokens(gateway.backends, asked, admitted);
    if (looking !== undefined) await looking;
    const adapt = asked.adapt?.() ?? asItCame;
    const answering = { gateway, request, reply, asked: visible, adapt, admitted };
    await (stream ? sendStream(answering) : sendBuffered(answering));
  } finally {
    admitted.leave();
    settleQuota(request);
  }
}

/** Of the request's calls to Ollama. */
function bodiesOf({ call, further }: ApiAdapter): readonly object[] {
  return further === undefined ? [call.body] : [call.body, ...further.map(({ body }) => body)];
}

/** Where a key has to leave the model as it is for the others, its calls do. @throws ApiError */
function share(
  gateway: AppContext,
  { consumer, body: given }: FastifyRequest,
  asked: ApiAdapter,
): { readonly asked: ApiAdapter; readonly neededContext?: NeededContext | undefined } {
  if (consumer.options || bodiesOf(asked).every(runsAsLoaded)) return { asked };
  const calls = [asked.call, ...(asked.further ?? [])];
  const shared = calls.map(({ body }) => shareModel(body, given, gateway));
  const [call = asked.call, ...further] = calls.map((each, index) => ({
    ...each,
    body: shared[index]?.body ?? each.body,
  }));
  const neededContext = shared.find(({ context }) => context !== undefined)?.context;
  return { asked: { ...asked, call, further }, neededContext };
}

async function sendBuffered({ gateway, request, reply, asked, adapt, admitted }: Generation): Promise<void> {
  const whole = asked.buffered();
  await runCalls(request, runnable(gateway, asked), admitted, {
    onEvent(event, line) {
      request.record.note(event);
      whole.add(adapt(event), line);
    },
  });
  setIgnoredHeader(reply, request.record);
  void reply
    .header("content-type", "application/json; charset=utf-8")
    .header("server-timing", request.record.serverTiming())
    .send(whole.build());
}

async function sendStream({ gateway, request, reply, asked, adapt, admitted }: Generation): Promise<void> {
  const { record } = request;
  const streamed = asked.streaming();
  const answers = 1 + (asked.further?.length ?? 0);
  const { SLOW_READER_TIMEOUT_MS: slowReaderTimeout } = gateway.config;
  const out = new ResponseStream(reply, streamed.contentType, slowReaderTimeout, () => {
    record.error ??= new ApiError("client_stalled");
    admitted.abort(record.error);
  });
  admitted.onLoading = () => {
    out.comment("loading");
  };
  try {
    await runCalls(request, runnable(gateway, asked), admitted, {
      onEvent(event, line) {
        record.note(event);
        if (!out.begun) {
          setIgnoredHeader(reply, record);
          void reply.header("server-timing", record.serverTiming());
        }
        out.write(streamed.write(adapt(event), line));
        if (record.responses === answers) out.end();
      },
      onPiece(flow) {
        out.flush(flow);
      },
      beforeNext: () => out.caughtUp(),
    });
  } catch (thrown) {
    if (!out.begun) throw thrown;
    record.error ??= toApiError(thrown);
    out.fail(streamed.fail(record.error), streamed.saysHowItEnds === true);
  }
}

/** Strict parameters are no preferences. */
function runnable({ config }: AppContext, { call, further, subject, thinking }: ApiAdapter): RunnableCalls {
  return {
    call,
    subject,
    ...(further === undefined ? {} : { further }),
    ...(config.STRICT_PARAMETERS === "on" ? {} : { thinking }),
  };
}

function asItCame(event: OllamaEvent): OllamaEvent {
  return event;
}
