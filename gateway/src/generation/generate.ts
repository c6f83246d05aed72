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
  readonly adapter: ApiAdapter;
  readonly adapt: (event: OllamaEvent) => OllamaEvent;
  readonly admitted: AdmittedRequest;
}

/**
 * Handles a generation request, streaming or buffered. Every route that generates goes through here.
 *
 * @throws ApiError until the response has started
 */
export async function generate(
  gateway: AppContext,
  request: FastifyRequest,
  reply: FastifyReply,
  original: ApiAdapter,
): Promise<void> {
  const { record } = request;
  const { adapter, neededContext } = share(gateway, request, original);
  const { model, stream } = adapter.call.body;
  record.model = model;
  record.stream = stream;
  const { call, subject, images, thinking } = adapter;
  const bodies = bodiesOf(adapter);
  if (gateway.config.LOG_TEXT === "on") record.keepText(bodies);
  if (adapter.ignoredKeywords !== undefined) {
    void reply.header(IGNORED_KEYWORDS_HEADER, ignoredHeader(adapter.ignoredKeywords));
  }
  const checking = requireCompletion(gateway, adapter, request);
  if (checking !== undefined) await checking;
  const acquiring = acquireQuota(request, reply, { bodies, subject });
  if (acquiring !== undefined) await acquiring;
  // The client may have disconnected during a wait.
  if (reply.raw.destroyed) throw record.error ?? new ApiError("client_left");
  const { consumer } = request;
  const admitted = gateway.scheduler.admit({ ...call, subject, images, thinking, consumer, neededContext });
  record.admitted = admitted;
  try {
    // Both checks are almost always synchronous, and an `await` costs more than testing for that.
    const vision = requireVisionSupport(gateway.backends, adapter, admitted);
    const visible = vision instanceof Promise ? await vision : vision;
    const checkingContext = requireKnownTokens(gateway.backends, adapter, admitted);
    if (checkingContext !== undefined) await checkingContext;
    const adapt = adapter.adapt?.() ?? unchanged;
    const generation = { gateway, request, reply, adapter: visible, adapt, admitted };
    await (stream ? sendStream(generation) : sendBuffered(generation));
  } finally {
    admitted.leave();
    settleQuota(request);
  }
}

/** Bodies of all calls to Ollama. */
function bodiesOf({ call, further }: ApiAdapter): readonly object[] {
  return further === undefined ? [call.body] : [call.body, ...further.map(({ body }) => body)];
}

/**
 * Applies `shareModel` to all calls, unless the key has the flag `options`.
 *
 * @throws ApiError
 */
function share(
  gateway: AppContext,
  { consumer, body: original }: FastifyRequest,
  adapter: ApiAdapter,
): { readonly adapter: ApiAdapter; readonly neededContext?: NeededContext | undefined } {
  if (consumer.options || bodiesOf(adapter).every(runsAsLoaded)) return { adapter };
  const calls = [adapter.call, ...(adapter.further ?? [])];
  const shared = calls.map(({ body }) => shareModel(body, original, gateway));
  const [call = adapter.call, ...further] = calls.map((each, index) => ({
    ...each,
    body: shared[index]?.body ?? each.body,
  }));
  const neededContext = shared.find(({ context }) => context !== undefined)?.context;
  return { adapter: { ...adapter, call, further }, neededContext };
}

async function sendBuffered({
  gateway,
  request,
  reply,
  adapter,
  adapt,
  admitted,
}: Generation): Promise<void> {
  const buffer = adapter.buffered();
  await runCalls(request, runnableCalls(gateway, adapter), admitted, {
    onEvent(event, line) {
      request.record.note(event);
      buffer.add(adapt(event), line);
    },
  });
  setIgnoredHeader(reply, request.record);
  void reply
    .header("content-type", "application/json; charset=utf-8")
    .header("server-timing", request.record.serverTiming())
    .send(buffer.build());
}

async function sendStream({ gateway, request, reply, adapter, adapt, admitted }: Generation): Promise<void> {
  const { record } = request;
  const writer = adapter.streaming();
  const expectedResponses = 1 + (adapter.further?.length ?? 0);
  const { SLOW_READER_TIMEOUT_MS: slowReaderTimeout } = gateway.config;
  const out = new ResponseStream(reply, writer.contentType, slowReaderTimeout, () => {
    record.error ??= new ApiError("client_stalled");
    admitted.abort(record.error);
  });
  admitted.wait.onLoading = () => {
    out.comment("loading");
  };
  try {
    await runCalls(request, runnableCalls(gateway, adapter), admitted, {
      onEvent(event, line) {
        record.note(event);
        if (!out.begun) {
          setIgnoredHeader(reply, record);
          void reply.header("server-timing", record.serverTiming());
        }
        out.write(writer.write(adapt(event), line));
        if (record.responses === expectedResponses) out.end();
      },
      onChunk(flow) {
        out.flush(flow);
      },
      beforeNext: () => out.caughtUp(),
    });
  } catch (thrown) {
    if (!out.begun) throw thrown;
    record.error ??= toApiError(thrown);
    out.fail(writer.fail(record.error), writer.hasFinalEvent === true);
  }
}

/** With `STRICT_PARAMETERS` on, thinking is a requirement instead of a preference. */
function runnableCalls(
  { config }: AppContext,
  { call, further, subject, thinking }: ApiAdapter,
): RunnableCalls {
  return { call, subject, further, thinking: config.STRICT_PARAMETERS === "on" ? undefined : thinking };
}

function unchanged(event: OllamaEvent): OllamaEvent {
  return event;
}
