import type { FastifyInstance, FastifyReply } from "fastify";
import { toApiError } from "../../errors.ts";
import type { Gateway } from "../../app-context.ts";
import { canonicalModelName } from "../../ollama/model-name.ts";

export function healthRoutes(app: FastifyInstance, gateway: Gateway): void {
  // Alive says nothing of Ollama: restarting the gateway would not bring Ollama back, only cut what is in flight.
  app.get("/health", () => ({ status: "ok" }));

  // For an edge with several gateways behind it. What it answers says nothing of Ollama either: with Ollama gone, clients
  // are to hear that from a gateway.
  app.get("/accepting", (_request, reply) => {
    if (gateway.drains.accepting) return { status: "accepting" };
    void reply.code(503);
    return { status: "leaving" };
  });

  app.get("/ready", async (_request, reply) => {
    if (gateway.admission.draining) return notReady(reply, { reason: "The gateway is shutting down." });
    try {
      const missing = await missingModels(gateway);
      if (missing.length === 0) return { status: "ready" };
      return notReady(reply, { reason: `Ollama lacks required models: ${missing.join(", ")}.`, missing });
    } catch (error) {
      return notReady(reply, { reason: toApiError(error).message });
    }
  });
}

async function missingModels({ config, ollama }: Gateway): Promise<string[]> {
  const present = new Set((await ollama.models()).map((model) => canonicalModelName(model.name)));
  return config.REQUIRED_MODELS.filter((name) => !present.has(canonicalModelName(name)));
}

function notReady(reply: FastifyReply, why: { reason: string; missing?: string[] }): object {
  void reply.code(503);
  return { status: "not_ready", ...why };
}
