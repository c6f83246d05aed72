import type { FastifyInstance, FastifyReply } from "fastify";
import type { AppContext } from "../../app-context.ts";
import type { KeyStore } from "../../auth/key-store.ts";
import { Readiness } from "../../observability/readiness.ts";

export function healthRoutes(
  app: FastifyInstance,
  gateway: AppContext,
  keys: Pick<KeyStore, "isEmpty">,
): void {
  // Alive says nothing of Ollama: restarting the gateway would not bring Ollama back, only cut what is in flight.
  app.get("/health", () => ({ status: "ok" }));

  // For an edge with several gateways behind it. What it answers says nothing of Ollama either: with Ollama gone, clients
  // are to hear that from a gateway.
  app.get("/accepting", (_request, reply) => {
    if (gateway.drainController.ready) return { status: "accepting" };
    void reply.code(503);
    return { status: "leaving" };
  });

  const readiness = new Readiness(gateway.backends, gateway.config.REQUIRED_MODELS);
  app.get("/ready", async ({ consumer }, reply) => {
    if (gateway.scheduler.draining) return notReady(reply, { reason: "The gateway is shutting down." });
    const result = await readiness.check();
    if (result.ready) return { status: "ready" };
    const { missing, error } = result;
    if (error !== undefined) return notReady(reply, { reason: error.message });
    // Names of models are not for everybody.
    if (!keys.isEmpty && !consumer.admin) return notReady(reply, { reason: "Ollama lacks required models." });
    return notReady(reply, { reason: `Ollama lacks required models: ${missing.join(", ")}.`, missing });
  });
}

function notReady(reply: FastifyReply, why: { reason: string; missing?: readonly string[] }): object {
  void reply.code(503);
  return { status: "not_ready", ...why };
}
