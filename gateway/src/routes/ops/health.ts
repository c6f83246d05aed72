import type { FastifyInstance, FastifyReply } from "fastify";
import type { AppContext } from "../../app-context.ts";
import type { KeyStore } from "../../auth/key-store.ts";
import { Readiness } from "../../observability/readiness.ts";
import { describe } from "../../openapi/operation.ts";
import * as responses from "../../openapi/response-schemas.ts";

const liveness = describe({
  summary: "Whether the gateway is alive.",
  response: responses.alive,
  open: true,
});

const acceptance = describe({
  summary: "Whether an edge should send requests here.",
  response: responses.accepting,
  otherwise: [503, responses.leaving],
  open: true,
});

const readiness = describe({
  summary:
    "Whether Ollama answers and has the required models; which it lacks is for admins where there are keys.",
  response: responses.ready,
  otherwise: [503, responses.notReady],
  open: true,
});

export function healthRoutes(
  app: FastifyInstance,
  gateway: AppContext,
  keys: Pick<KeyStore, "isEmpty">,
): void {
  // Alive says nothing of Ollama: restarting the gateway would not bring Ollama back, only cut what is in flight.
  app.get("/health", liveness, () => ({ status: "ok" }));

  // For an edge with several gateways behind it. What it answers says nothing of Ollama either: with Ollama gone, clients
  // are to hear that from a gateway.
  app.get("/accepting", acceptance, ({ headers }, reply) => {
    const { drainController } = gateway;
    // What an edge passes on is a client's question, which says nothing of what the edge knows.
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
    // Names of models are not for everybody.
    if (!keys.isEmpty && !consumer.admin) return notReady(reply, { reason: "Ollama lacks required models." });
    return notReady(reply, { reason: `Ollama lacks required models: ${missing.join(", ")}.`, missing });
  });
}

/** A gateway is ready without the others: it goes on with its share of slots and limits. */
function sharedStateOf({ shared }: AppContext): { shared_state?: "up" | "away" } {
  return shared === undefined ? {} : { shared_state: shared.isUp ? "up" : "away" };
}

/** One that stands by is ready: it can become the active one at any time. */
function roleOf({ standby }: AppContext): { role?: "active" | "standby" } {
  return standby === undefined ? {} : { role: standby.isActive ? "active" : "standby" };
}

function notReady(reply: FastifyReply, why: { reason: string; missing?: readonly string[] }): object {
  void reply.code(503);
  return { status: "not_ready", ...why };
}
