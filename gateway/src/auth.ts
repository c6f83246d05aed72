import { timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "./errors.ts";
import { type KeyDefinition, digestOf } from "./keys.ts";
import { Limits } from "./limits.ts";
import type { Metrics } from "./metrics.ts";
import { canonicalModelName } from "./ollama/model-name.ts";

/** Whose request it is, and what that allows. */
export class Caller {
  readonly name: string;
  /** May use the routes that change the server. */
  readonly admin: boolean;
  readonly limits: Limits;
  readonly #models: ReadonlySet<string> | undefined;

  constructor({ name = "", admin = false, models, ...limits }: Partial<KeyDefinition>) {
    this.name = name;
    this.admin = admin;
    this.limits = new Limits(limits);
    this.#models = models;
  }

  allows(model: string): boolean {
    return this.#models?.has(canonicalModelName(model)) ?? true;
  }
}

declare module "fastify" {
  interface FastifyRequest {
    caller: Caller;
  }
}

// What asks these has no key: the engine's health check, an orchestrator. They tell nothing of what is served.
const OPEN_ROUTES: ReadonlySet<string | undefined> = new Set(["/health", "/ready", "/v1/health_check"]);

/**
 * Lets only requests with a known key in, within the key's limits. Without any key everybody is let in, but nobody as
 * an admin: that is for a gateway only its own machine can reach.
 */
export function authenticate(app: FastifyInstance, keys: readonly KeyDefinition[], metrics: Metrics): void {
  const nobody = new Caller({});
  const callers = keys.map((key) => ({ digest: key.digest, caller: new Caller(key) }));
  app.decorateRequest("caller");

  app.addHook("onRequest", (request, reply, done) => {
    request.caller = nobody;
    if (callers.length === 0 || OPEN_ROUTES.has(request.routeOptions.url)) {
      done();
      return;
    }
    const caller = find(presentedKey(request));
    if (caller === undefined) {
      void reply.header("www-authenticate", "Bearer");
      done(new ApiError("invalid_api_key"));
      return;
    }
    request.caller = caller;
    // Only what is posted makes work.
    if (request.method !== "POST") {
      done();
      return;
    }
    const refusal = caller.limits.enter();
    void reply.headers(caller.limits.headers());
    if (refusal !== undefined) {
      done(refusal);
      return;
    }
    reply.raw.once("close", () => {
      const tokens = request.record.tokens();
      caller.limits.leave(tokens);
      metrics.countTokens(caller.name, tokens);
    });
    done();
  });

  /** Looks at every key, however early one fits: the time taken tells nothing. */
  function find(presented: string | undefined): Caller | undefined {
    if (presented === undefined) return undefined;
    const digest = digestOf(presented);
    let found: Caller | undefined;
    for (const each of callers) if (timingSafeEqual(each.digest, digest)) found = each.caller;
    return found;
  }
}

/** OpenAI's clients send a bearer token, Anthropic's a header of their own. */
function presentedKey({ headers }: FastifyRequest): string | undefined {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  const own = headers["x-api-key"];
  return bearer ?? (typeof own === "string" ? own : undefined);
}
