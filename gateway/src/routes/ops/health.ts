import type { FastifyInstance, FastifyReply } from "fastify";
import type { AppContext } from "../../app-context.ts";
import type { KeyStore } from "../../auth/key-store.ts";
import { Readiness } from "../../observability/readiness.ts";
import { describe } from "../../openapi/operation.ts";
import * as responses from "../../openapi/response-schemas.ts";

const liveness = describe({
  summary: "Whether the gateway is alive.",
  response: responses.alive,
  isPublic: true,
});

const acceptance = describe({
  summary: "Whether an edge should send requests here.",
  response: responses.accepting,
  negativeResponse: [503, responses.leaving],
  isPublic: true,
});

const readiness = describe({
  summary:
    "Whether Ollama responds and has the required models. With keys, only admins see which models are missing.",
  response: responses.ready,
  negativeResponse: [503, responses.notReady],
  isPublic: true,
});

export function healthRoutes(
  app: FastifyInstance,
  gateway: AppContext,
  keys: Pick<KeyStore, "isEmpty">,
): void {
  // Liveness is independent of Ollama: restarting the gateway would not repair Ollama, only abort the requests in
  // flight.
  app.get("/health", liveness, () => ({ status: "ok" }));

  // For an edge in front of several gateways. Independent of Ollama too: if Ollama is down, clients should get that
  // error from a gateway.
  app.get("/accepting", acceptance, ({ headers }, reply) => {
    const { drainController } = gateway;
    // A request that the edge forwards comes from a client, and does not reflect the edge's own state.
    const isProbe = headers["x-forwarded-for"] === undefined;
    if (isProbe ? drainController.acceptsProbe() : drainController.canServe) return { status: "accepting" };
    void reply.code(503);
    return { status: "leaving" };
  });

  const state = new Readiness(gateway.backends, gateway.config.REQUIRED_MODELS);
  app.get("/ready", readiness, ({ consumer }, reply) => {
    if (gateway.scheduler.draining) return notReady(reply, { reason: "The gateway is shutting down." });
    const result = state.check();
    if (result.ready) return { status: "ready", ...sharedStateOf(gateway), ...roleOf(gateway) };
    const { missing, reason } = result;
    if (reason !== undefined) return notReady(reply, { reason });
    // Model names are not public.
    if (!keys.isEmpty && !consumer.admin) return notReady(reply, { reason: "Ollama lacks required models." });
    return notReady(reply, { reason: `Ollama lacks required models: ${missing.join(", ")}.`, missing });
  });
}

/** A gateway is ready without shared state: it continues with its share of slots and limits. */
function sharedStateOf({ shared }: AppContext): { shared_state?: "up" | "away" } {
  return shared === undefined ? {} : { shared_state: shared.isUp ? "up" : "away" };
}

/** A standby gateway is ready, as it can become active at any time. */
function roleOf({ standby }: AppContext): { role?: "active" | "standby" } {
  return standby === undefined ? {} : { role: standby.isActive ? "active" : "standby" };
}

function notReady(reply: FastifyReply, details: { reason: string; missing?: readonly string[] }): object {
  void reply.code(503);
  return { status: "not_ready", ...details };
}
