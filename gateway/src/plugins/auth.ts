import { timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { digestOf } from "../auth/api-keys.ts";
import { Consumer } from "../auth/consumer.ts";
import type { Reservation } from "../auth/key-usage.ts";
import { ApiError } from "../errors.ts";
import type { Authenticated, KeyStore } from "../auth/key-store.ts";

declare module "fastify" {
  interface FastifyRequest {
    consumer: Consumer;
    /** The tokens that its key has set aside for it. */
    reservation: Reservation | undefined;
    /** Which of the consumer's keys it presented; empty without one. */
    keyId: string;
  }
}

const METRICS_ROUTE = "/metrics";

/** Counts the tokens that a key has used. */
interface TokenMetrics {
  countTokens(key: string, tokens: number): void;
}

/**
 * Lets only requests with a known key in, within the key's limits. Without any key everybody is let in, but nobody as
 * an admin: that is for a gateway only its own machine can reach.
 */
export function authenticate(
  app: FastifyInstance,
  keys: KeyStore,
  metrics: TokenMetrics,
  metricsKey: Buffer | undefined,
): void {
  // Without keys there is one user, who may have models loaded as it likes.
  const nobody = new Consumer({ options: true });
  // Lets its route show all; no other route knows it.
  const metricsReader = new Consumer({ name: "metrics", admin: true });
  app.decorateRequest("consumer");
  app.decorateRequest("reservation", undefined);
  app.decorateRequest("keyId", "");

  app.addHook("onRequest", (request, reply, done) => {
    request.consumer = nobody;
    if (keys.isEmpty) {
      done();
      return;
    }
    const presented = presentedKey(request);
    const known = presented === undefined ? undefined : keys.authenticate(presented);
    const { operation } = request.routeOptions.config;
    // The engine's health check and orchestrators have no key.
    if (operation?.open === true) {
      // With a key that is in force they may show more.
      if (known !== undefined && refusalOf(known, request) === undefined) request.consumer = known.consumer;
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
    const forbidden = refusalOf(known, request);
    if (forbidden !== undefined) {
      if (forbidden.status === 401) void reply.header("www-authenticate", "Bearer");
      done(forbidden);
      return;
    }
    const { limits } = consumer;
    // Every request counts, but only what is posted makes work that goes on.
    const works = request.method === "POST" && operation?.isLookup !== true;
    const verdict = works ? limits.enter() : limits.countLookup();
    const enter = (refusal: ApiError | undefined): void => {
      void reply.headers(limits.headers(request.url));
      if (refusal === undefined && works) countOut(request, reply, metrics);
      done(refusal);
    };
    if (verdict instanceof Promise) void verdict.then(enter);
    else enter(verdict);
  });
}

/** Counts a request out of its key's limits when its response is over, or when its client has left. */
function countOut(request: FastifyRequest, reply: FastifyReply, metrics: TokenMetrics): void {
  const { limits, name } = request.consumer;
  const leave = (): void => {
    const tokens = request.record.finalTokens(limits.msPerToken);
    limits.leave(tokens, request.reservation, request.record.msPerToken);
    metrics.countTokens(name, tokens);
  };
  // It may have left while the other gateways were asked.
  if (reply.raw.destroyed) leave();
  else reply.raw.on("close", leave);
}

/** Why a key that is known does not let a request in. */
function refusalOf(
  { consumer, refusal, expiresAt }: Authenticated,
  request: FastifyRequest,
): ApiError | undefined {
  if (refusal === "api_key_expired") {
    return new ApiError(refusal, { message: `The API key expired at ${expiresAt}. Use a new one.` });
  }
  if (refusal !== undefined) return new ApiError(refusal);
  if (!consumer.allowsAddress(request)) return new ApiError("address_not_allowed");
  return consumer.allowsRoute(request.routeOptions.url) ? undefined : new ApiError("route_not_allowed");
}

/** Prometheus has a key for one route. */
function mayReadMetrics(
  { routeOptions, method }: FastifyRequest,
  presented: string | undefined,
  metricsKey: Buffer | undefined,
): boolean {
  if (metricsKey === undefined || presented === undefined) return false;
  if (routeOptions.url !== METRICS_ROUTE || method !== "GET") return false;
  return timingSafeEqual(digestOf(presented), metricsKey);
}

/** OpenAI's clients send a bearer token, Anthropic's a header of their own. */
function presentedKey({ headers }: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  const own = headers["x-api-key"];
  return bearer ?? (typeof own === "string" ? own : undefined);
}
