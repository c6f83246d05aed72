import "./lib/acyclic-json.ts";
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { LogController, fastify, type FastifyInstance, type FastifyReply } from "fastify";
import { Activity } from "./admin/activity.ts";
import { adminRoutes } from "./admin/routes.ts";
import { errorFormatOf } from "./apis/error-formats.ts";
import { Scheduler } from "./scheduling/scheduler.ts";
import { authenticate } from "./plugins/auth.ts";
import { redirectBrowsers } from "./plugins/browser-redirect.ts";
import { closeWhileDraining } from "./plugins/close-while-draining.ts";
import { checkHost } from "./plugins/host-check.ts";
import { checkOrigins } from "./plugins/origin-check.ts";
import { BackendPool } from "./backends/backend-pool.ts";
import { BodyBudget } from "./plugins/body-budget.ts";
import { ConnectionLimits } from "./plugins/connection-limits.ts";
import { enforceBodyDeadline } from "./plugins/body-deadline.ts";
import type { Config } from "./config/config.ts";
import { startControlServer } from "./control/control-server.ts";
import { DrainController } from "./scheduling/drain-controller.ts";
import { ForwardedRequests } from "./scheduling/forwarded-requests.ts";
import { toApiError } from "./errors.ts";
import { findClientAddress } from "./plugins/client-address.ts";
import { plugin } from "./plugins/plugin.ts";
import { handleErrors, handleClientError } from "./plugins/error-handler.ts";
import type { AppContext } from "./app-context.ts";
import { closeAfterResponse } from "./plugins/raw-response.ts";
import { readJsonBodies } from "./plugins/json-body.ts";
import { normalizeUrl } from "./lib/request-path.ts";
import { TrustedProxies } from "./lib/network/trusted-proxies.ts";
import { type KeyObserver, KeyStore } from "./auth/key-store.ts";
import { UsageLedger } from "./auth/usage-ledger.ts";
import { type Log, withoutChildren } from "./observability/log.ts";
import { Metrics } from "./observability/metrics.ts";
import { closeStalledResponses } from "./plugins/stalled-responses.ts";
import { recordRequests } from "./plugins/request-record.ts";
import { ResponseStore } from "./response-store/response-store.ts";
import type { StoredItem } from "./response-store/stored-conversation.ts";
import { sharedState } from "./shared-state/shared-state.ts";
import { type HandOverTimes, createStandby } from "./standby/standby.ts";
import { chatCompletionsRoute } from "./routes/openai/chat-completions.ts";
import { completionsRoute } from "./routes/openai/completions.ts";
import { embeddingsRoute } from "./routes/openai/embeddings.ts";
import { consoleRoutes } from "./routes/ops/console.ts";
import { healthRoutes } from "./routes/ops/health.ts";
import { messagesRoute } from "./routes/anthropic/messages.ts";
import { metricsRoute } from "./routes/ops/metrics.ts";
import { modelsRoute } from "./routes/openai/models.ts";
import { ollamaApiRoutes } from "./routes/ollama/api.ts";
import { BLOB_ROUTES, ollamaChangesRoutes } from "./routes/ollama/admin.ts";
import { opeaRoutes } from "./routes/opea/opea.ts";
import { openApiRoute } from "./routes/ops/openapi.ts";
import { responsesRoutes } from "./routes/openai/responses.ts";
import { type Destination, SpanExporter } from "./observability/otlp-exporter.ts";
import { UsageStore } from "./usage/usage-store.ts";
import { Statistics } from "./observability/latency-stats.ts";
import { SCOPE, Tracing } from "./observability/tracing.ts";

// Interval of Node's checks for overdue requests.
const OVERDUE_CHECK_MS = 1000;

// Time for the last responses to reach their clients after generation has ended.
const LAST_BYTES_MS = 2000;

const REQUEST_ID = /^[\w.:-]{1,128}$/;

/** Builds the gateway as a Fastify app that is not listening yet. Closing it drains it first. */
export function buildApp(config: Config, log: Log, handOver?: HandOverTimes): FastifyInstance {
  const { logger } = log;
  const backends = new BackendPool(config);
  const shared = sharedState(config, backends, logger);
  const queueLimits = {
    length: config.QUEUE_LIMIT,
    timeoutMs: config.QUEUE_TIMEOUT_MS,
    loadingCommentMs: config.LOADING_COMMENT_MS,
  };
  const scheduler = new Scheduler(backends, queueLimits, shared?.slots);
  backends.members.onEvent = (event) => {
    if ("failure" in event) {
      const { name, failure } = event;
      logger.warn({ name, error: failure.message }, "cannot look up Ollama servers, keeping the known ones");
    } else logger.info({ ...event, servers: backends.members.all.length }, "Ollama servers changed");
  };
  const forwarded = new ForwardedRequests();
  const drainController = new DrainController({ scheduler, forwarded }, backends, config.REQUIRED_MODELS);
  const standby = createStandby(config, { canServe: () => drainController.canServe, logger, handOver });
  drainController.handOver = standby?.handOver.bind(standby);
  const exporter = spanExporter(config, logger);
  const needsKey = (): boolean => !keys.isEmpty;
  const activity =
    config.ADMIN_API === "off"
      ? undefined
      : new Activity(scheduler, { needsKey, showsText: config.LOG_TEXT === "on" });
  const metrics = new Metrics(
    {
      scheduler,
      backends,
      shared,
      standby,
      exporter,
      queueLimit: config.QUEUE_LIMIT,
      requiredModels: config.REQUIRED_MODELS,
    },
    { objectiveMs: config.OBJECTIVE_FIRST_TOKEN_MS, certificate: config.WATCHED_CERTIFICATE },
  );
  const metricsExporter =
    config.OTEL_EXPORTER_OTLP_ENDPOINT === "" || config.OTEL_METRICS_EXPORTER === "none"
      ? undefined
      : metrics.exportTo(collector(config, config.OTEL_METRIC_EXPORT_INTERVAL), logger);
  backends.loader.onEnd = (outcome) => {
    scheduler.loadEnded(outcome);
    metrics.countLoad(outcome);
    activity?.loadEnded(outcome);
  };

  const proxies = new TrustedProxies(config.TRUSTED_PROXIES);
  const app = fastify({
    loggerInstance: withoutChildren(logger),
    // Replaced by a single line at the end of each request.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: config.BODY_LIMIT_BYTES,
    // Bodies have their own deadline. Node's request timeout would also limit the headers, to 300 s.
    http: {
      requestTimeout: 0,
      headersTimeout: config.REQUEST_TIMEOUT_MS,
      connectionsCheckingInterval: OVERDUE_CHECK_MS,
    },
    rewriteUrl: ({ url = "" }) => normalizeUrl(url),
    requestIdHeader: false,
    trustProxy: (address) => proxies.trusts(address),
    // Bodies are validated by Zod. Not loading Fastify's compilers saves 8 MiB.
    schemaController: { compilersFactory: { buildValidator: noSchemas, buildSerializer: noSchemas } },
    genReqId: (request) => {
      const given = request.headers["x-request-id"];
      return typeof given === "string" && REQUEST_ID.test(given) ? given : randomUUID();
    },
    // While draining, routes respond by themselves: /ready with 503, generation with `shutting_down`.
    return503OnClosing: false,
    frameworkErrors: (error, request, reply: FastifyReply) => {
      const apiError = toApiError(error);
      // No hooks run for these requests, so the connection must be closed here.
      if (!request.raw.complete) closeAfterResponse(request.raw.socket);
      const { body, status } = errorFormatOf(request.url);
      void reply.header("connection", "close").code(status(apiError)).send(body(apiError, request.id));
    },
    clientErrorHandler: handleClientError,
  });
  const ledger = new UsageLedger(config.USAGE_FILE, logger);
  const usage = new UsageStore(config.USAGE_FILE, logger);
  const keyObserver: KeyObserver = {
    changed: (path, changes) => {
      log.audit({ act: "change-keys", target: path, ...changes });
    },
    failed: (path, error) => {
      logger.error({ path, error }, "cannot read the API keys, keeping the previous ones");
    },
  };
  const keys = new KeyStore(config.API_KEYS, config.API_KEYS_FILE, keyObserver, ledger, shared?.usage);
  // There is always room for one body.
  const bodies = new BodyBudget(Math.max(config.BODIES_LIMIT_BYTES, config.BODY_LIMIT_BYTES), keys);
  const responseLimits = {
    ttlMs: config.RESPONSE_STORE_TTL_MS,
    limitBytes: config.RESPONSE_STORE_LIMIT_BYTES,
  };
  const responses = new ResponseStore<StoredItem>(responseLimits);
  const gateway: AppContext = {
    config,
    backends,
    scheduler,
    forwarded,
    drainController,
    metrics,
    log,
    bodies,
    responses,
    sharedResponses: shared?.responses(responses, responseLimits),
    usage,
    shared,
    standby,
  };
  const connections = new ConnectionLimits(app, config.CONNECTIONS_LIMIT);
  const observers = {
    metrics,
    statistics: new Statistics(),
    tracing: new Tracing(exporter),
    log,
    bodies,
    usage,
    activity,
  };
  const hostOptions = {
    ownHosts: [config.HOST, hostname()],
    allowedHosts: config.ALLOWED_HOSTS,
    needsKey,
  };

  const { CONSOLE_FOLDER: files } = config;

  // In this order. Each names its dependencies, so that Fastify fails to start in another order.
  const plugins = [
    plugin("json-body", [], () => {
      readJsonBodies(app, bodies, config.BODY_LIMIT_BYTES);
    }),
    plugin("connection-limits", [], () => {
      connections.limitRequests();
    }),
    plugin("close-while-draining", ["connection-limits"], () => {
      closeWhileDraining(app, () => drainController.isDraining || standby?.isReplaced === true);
    }),
    plugin("client-address", ["connection-limits"], () => {
      findClientAddress(app, proxies);
    }),
    plugin("request-record", ["client-address"], () => {
      recordRequests(app, observers);
    }),
    plugin("origin-check", ["request-record"], () => {
      checkOrigins(app, { allowedOrigins: config.ALLOWED_ORIGINS, needsKey });
    }),
    plugin("browser-redirect", ["request-record", "origin-check"], () => {
      if (files !== undefined) redirectBrowsers(app);
    }),
    plugin("authentication", ["request-record", "origin-check", "browser-redirect"], () => {
      authenticate(app, keys, metrics, config.METRICS_KEY_DIGEST);
    }),
    plugin("host-check", ["authentication"], () => {
      checkHost(app, hostOptions);
    }),
    plugin("known-clients", ["authentication", "connection-limits"], () => {
      connections.trackAuthentication(keys);
    }),
    plugin("body-deadline", ["authentication"], () => {
      enforceBodyDeadline(app, config.REQUEST_TIMEOUT_MS, BLOB_ROUTES);
    }),
    plugin("stalled-responses", ["request-record"], () => {
      closeStalledResponses(app, config.SLOW_READER_TIMEOUT_MS);
    }),
    plugin("error-handler", ["request-record"], () => {
      handleErrors(app);
    }),
    plugin("routes", ["json-body", "host-check", "known-clients", "body-deadline", "error-handler"], () => {
      openApiRoute(app);
      chatCompletionsRoute(app, gateway);
      completionsRoute(app, gateway);
      embeddingsRoute(app, gateway);
      responsesRoutes(app, gateway);
      messagesRoute(app, gateway);
      modelsRoute(app, gateway);
      opeaRoutes(app, gateway, observers.statistics);
      ollamaApiRoutes(app, gateway);
      ollamaChangesRoutes(app, gateway);
      healthRoutes(app, gateway, keys);
      if (files !== undefined) consoleRoutes(app, files);
      metricsRoute(app, gateway, keys);
      if (activity !== undefined) adminRoutes(app, { gateway, keys, ledger, activity });
    }),
  ];
  for (const each of plugins) void app.register(each);

  const { CONTROL_SOCKET: socket } = config;
  const control =
    socket === "" ? undefined : startControlServer(socket, { drainController, keys, usage }, log);
  if (shared !== undefined) app.addHook("onReady", () => shared.start());
  app.addHook("onListen", () => standby?.start());
  app.addHook("preClose", async () => {
    await standby?.close();
    const { SHUTDOWN_TIMEOUT_MS: timeout } = config;
    await Promise.all([scheduler.drain(timeout), forwarded.drain(timeout)]);
    setTimeout(() => {
      app.server.closeAllConnections();
    }, LAST_BYTES_MS).unref();
  });
  app.addHook("onClose", async () => {
    control?.close();
    control?.closeAllConnections();
    activity?.close();
    keys.close();
    responses.close();
    await shared?.close();
    await ledger.close();
    await usage.flush();
    await backends.close();
    await Promise.all([exporter?.close(), metricsExporter?.close()]);
  });
  return app;
}

function noSchemas(): never {
  throw new Error("routes do not use Fastify's schemas");
}

function spanExporter(config: Config, logger: Log["logger"]): SpanExporter | undefined {
  if (config.OTEL_EXPORTER_OTLP_ENDPOINT === "") return undefined;
  return new SpanExporter(collector(config, config.OTEL_BSP_SCHEDULE_DELAY), logger);
}

function collector(config: Config, intervalMs: number): Destination {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: serviceName } = config;
  return { endpoint, serviceName, scope: SCOPE, intervalMs };
}
