import { timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { digestOf, rejectionReason } from "../auth/api-keys.ts";
import { Consumer } from "../auth/consumer.ts";
import type { Reservation } from "../auth/key-usage.ts";
import { ApiError } from "../errors.ts";
import type { KeyStore, KnownKey } from "../auth/key-store.ts";

declare module "fastify" {
  interface FastifyRequest {
    consumer: Consumer;
    /** Tokens reserved for it in its key's limits. */
    reservation: Reservation | undefined;
    /** ID of the presented key; empty without one. */
    keyId: string;
  }
}

const METRICS_ROUTE = "/metrics";

/** Counts tokens by key. */
interface TokenMetrics {
  countTokens(key: string, tokens: number): void;
}

/**
 * Admits only requests with a valid key, within the key's limits. Without any configured key every request is admitted,
 * but nobody is an admin; this is for gateways that only their own machine can reach.
 */
export function authenticate(
  app: FastifyInstance,
  keys: KeyStore,
  metrics: TokenMetrics,
  metricsKey: Buffer | undefined,
): void {
  // Without keys there is a single user, who may reload models with other options.
  const anonymous = new Consumer({ options: true });
  // May see all metrics; not valid for other routes.
  const metricsReader = new Consumer({ name: "metrics", admin: true });
  app.decorateRequest("consumer");
  app.decorateRequest("reservation", undefined);
  app.decorateRequest("keyId", "");

  app.addHook("onRequest", (request, reply, done) => {
    request.consumer = anonymous;
    if (keys.isEmpty) {
      done();
      return;
    }
    const presented = presentedKey(request);
    const known = presented === undefined ? undefined : keys.authenticate(presented, request.raw.socket);
    const { operation } = request.routeOptions.config;
    // Health checks and orchestrators have no key.
    if (operation?.isPublic === true) {
      // A valid key lets the route show more.
      if (known !== undefined && rejectionOf(known, request) === undefined) request.consumer = known.consumer;
      done();
      return;
    }
    if (known === undefined && mayReadMetrics(request, presented, metricsKey)) {
      request.consumer = metricsReader;
      done();
      return;
    }
    if (known === undefined) {
      void reply.header("www-authenticate", "Bearer");
      done(new ApiError("invalid_api_key"));
      return;
    }
    const { consumer } = known;
    request.consumer = consumer;
    request.keyId = known.keyId;
    const forbidden = rejectionOf(known, request);
    if (forbidden !== undefined) {
      if (forbidden.status === 401) void reply.header("www-authenticate", "Bearer");
      done(forbidden);
      return;
    }
    const { limits } = consumer;
    // All requests count, but only a POST can use a model.
    const usesModel = request.method === "POST" && operation?.isLookup !== true;
    const verdict = usesModel ? limits.enter() : limits.countLookup();
    const enter = (refusal: ApiError | undefined): void => {
      if (limits.hasRates) void reply.headers(limits.headers(request.url));
      if (refusal === undefined && usesModel) leaveOnClose(request, reply, metrics);
      // After a disconnect during the check, later hooks and routes would acquire resources that are never released.
      if (!reply.raw.destroyed) done(refusal);
    };
    if (verdict instanceof Promise) void verdict.then(enter);
    else enter(verdict);
  });
}

/** Counts the request as finished when its response is complete or its client has disconnected. */
function leaveOnClose(request: FastifyRequest, reply: FastifyReply, metrics: TokenMetrics): void {
  const { limits, name } = request.consumer;
  const leave = (): void => {
    const tokens = request.record.finalTokens(limits.msPerToken);
    limits.leave(tokens, request.reservation, request.record.msPerToken);
    metrics.countTokens(name, tokens);
  };
  // The client may have disconnected while the shared limits were checked.
  if (reply.raw.destroyed) leave();
  else reply.raw.on("close", leave);
}

/** Why a known key is not accepted for this request. */
function rejectionOf({ key, consumer }: KnownKey, request: FastifyRequest): ApiError | undefined {
  const rejection = rejectionReason(key);
  if (rejection === "api_key_expired" && key.expiresAt !== undefined) {
    const expiresAt = new Date(key.expiresAt).toISOString();
    return new ApiError(rejection, { message: `The API key expired at ${expiresAt}. Use a new one.` });
  }
  if (rejection !== undefined) return new ApiError(rejection);
  if (!consumer.allowsAddress(request)) return new ApiError("address_not_allowed");
  return consumer.allowsRoute(request.record.route) ? undefined : new ApiError("route_not_allowed");
}

/** Prometheus has a token for one route. */
function mayReadMetrics(
  { record, method }: FastifyRequest,
  presented: string | undefined,
  metricsKey: Buffer | undefined,
): boolean {
  if (metricsKey === undefined || presented === undefined) return false;
  if (record.route !== METRICS_ROUTE || method !== "GET") return false;
  return timingSafeEqual(digestOf(presented), metricsKey);
}

/** OpenAI's clients send a bearer token, Anthropic's an `x-api-key` header. */
function presentedKey({ headers }: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  const own = headers["x-api-key"];
  return bearer ?? (typeof own === "string" ? own : undefined);
}
