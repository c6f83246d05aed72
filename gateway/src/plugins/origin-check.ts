import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { Consumer } from "../auth/consumer.ts";
import { ApiError } from "../errors.ts";
import { AllowedOrigins, isSameOrigin } from "../lib/network/allowed-origins.ts";
import { shorten } from "./quoted-input.ts";

const METHODS = "GET, HEAD, POST, DELETE";

// Browsers cache a preflight result for at most two hours.
const MAX_AGE_SECONDS = "7200";

// These change nothing, and pages of other origins cannot read the response.
const READ_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

const NOBODY = new Consumer({});

interface OriginCheckOptions {
  /** Allowed origins, as `parseAllowedOrigin` returns them. */
  readonly allowedOrigins: readonly string[];
  /** Whether consumers must present a key. */
  readonly needsKey: () => boolean;
}

/**
 * Lets web pages of this machine, of desktop applications and of the allowed origins use the gateway (CORS), and
 * rejects writes from other origins: a page may post text to any server without a preflight, and Ollama's API ignores
 * the content type, so only the `Origin` header identifies such requests. Must come before authentication, because
 * preflight requests have no key.
 */
export function checkOrigins(app: FastifyInstance, { allowedOrigins, needsKey }: OriginCheckOptions): void {
  const allowed = new AllowedOrigins(allowedOrigins);
  if (allowed.isAny && !needsKey()) {
    app.log.warn("ALLOWED_ORIGINS=* without API keys: any web page that a user opens may use the gateway");
  }
  app.addHook("onRequest", (request, reply, done) => {
    const { origin } = request.headers;
    if (origin === undefined) {
      done();
      return;
    }
    const isAllowed = allowed.has(origin) || isSameOrigin(origin, request.headers.host);
    if (isAllowed) allowOrigin(reply, origin);
    const isPreflight =
      request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined;
    if (isAllowed ? !isPreflight : READ_METHODS.has(request.method) && !isPreflight) {
      done();
      return;
    }
    request.consumer = NOBODY;
    if (isAllowed) respondToPreflight(request, reply);
    else done(refusal(origin));
  });
}

function allowOrigin(reply: FastifyReply, origin: string): void {
  void reply
    .header("access-control-allow-origin", origin)
    .header("access-control-expose-headers", "*")
    .header("vary", "Origin");
}

function respondToPreflight({ headers }: FastifyRequest, reply: FastifyReply): void {
  const { "access-control-request-headers": requested } = headers;
  void reply
    .header("access-control-allow-methods", METHODS)
    .header("access-control-max-age", MAX_AGE_SECONDS);
  // The wildcard does not cover `Authorization`.
  if (requested !== undefined) void reply.header("access-control-allow-headers", requested);
  if (headers["access-control-request-private-network"] === "true") {
    void reply.header("access-control-allow-private-network", "true");
  }
  void reply.code(204).send();
}

function refusal(origin: string): ApiError {
  return new ApiError("origin_not_allowed", {
    message: `Web pages of the origin '${shorten(origin)}' may not use the gateway. If it is yours, add it to ALLOWED_ORIGINS.`,
  });
}
