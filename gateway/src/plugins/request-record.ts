import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import { clientAddress } from "../lib/network/trusted-proxies.ts";
import type { Statistics } from "../observability/latency-stats.ts";
import type { Log } from "../observability/log.ts";
import type { Metrics } from "../observability/metrics.ts";
import { logRequest, type ProbeStatuses } from "../observability/request-log.ts";
import { RequestRecord } from "../observability/request-record.ts";
import type { Tracing } from "../observability/tracing.ts";
import type { UsageStore } from "../usage/usage-store.ts";
import type { BodyBudget } from "./body-budget.ts";

/** Notified of finished requests. */
interface Observers {
  readonly metrics: Metrics;
  readonly statistics: Statistics;
  readonly tracing: Tracing;
  readonly log: Log;
  readonly bodies: BodyBudget;
  readonly usage: UsageStore;
  readonly activity: RequestObserver | undefined;
}

/** Notified when a request arrives and when it has ended. */
interface RequestObserver {
  began(request: FastifyRequest): void;
  ended(request: FastifyRequest, status: number): void;
}

/** Records each request from its arrival to the end of its response, and aborts it if its client disconnects. */
export function recordRequests(
  app: FastifyInstance,
  { metrics, statistics, tracing, log, bodies, usage, activity }: Observers,
): void {
  app.decorateRequest("record");
  const probes: ProbeStatuses = new Map();
  app.addHook("onRequest", (request, reply, done) => {
    const record = new RequestRecord();
    request.record = record;
    record.route = request.routeOptions.url;
    record.clientIp = clientAddress(request);
    record.trace = tracing.begin(request.headers["traceparent"] as string | undefined);
    activity?.began(request);
    void reply.header("x-request-id", request.id);
    // Fastify's own signal fires when the request's body has been read (fastify/fastify#6725), this event at the end of
    // the response. It fires once, so `on` avoids the wrapper that `once` allocates.
    reply.raw.on("close", () => {
      record.end();
      bodies.release(request);
      if (!reply.raw.writableFinished && !record.isEndless) {
        record.error ??= new ApiError("client_left");
        record.admitted?.abort(record.error);
      }
      const status = reply.raw.headersSent ? reply.raw.statusCode : (record.error?.status ?? 0);
      const route = record.route ?? "unknown";
      const model = metrics.count(route, request.method, status, record);
      if (model !== undefined) countUsage(usage, request, model);
      statistics.count(route, record);
      tracing.end(record, request.method, route, status, request.id);
      logRequest(log, request, status, probes);
      activity?.ended(request, status);
    });
    done();
  });
}

/** Counts the same tokens as the key's budgets do. */
function countUsage(usage: UsageStore, { consumer, record }: FastifyRequest, model: string): void {
  const tokens = record.finalTokens(consumer.limits.msPerToken);
  const prompt = record.finalPromptTokens(tokens);
  usage.count(consumer.name, model, prompt, tokens - prompt, record.admitted?.loadMs ?? 0);
}
