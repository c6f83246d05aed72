import type { FastifyInstance } from "fastify";
import packageJson from "../../../package.json" with { type: "json" };
import { ApiError } from "../../errors.ts";
import type { AppContext } from "../../app-context.ts";
import type { Statistics } from "../../observability/latency-stats.ts";
import { adaptChat } from "../../apis/openai-chat/adapter.ts";
import { opeaSchema, toChatRequest } from "../../apis/opea/adapter.ts";
import { generationHandler } from "../generation-handler.ts";
import { describe } from "../../openapi/operation.ts";
import * as responses from "../../openapi/response-schemas.ts";

const healthCheck = {
  "Service Title": "ollama-stack gateway",
  Version: packageJson.version,
  "Service Description": "Language models of an Ollama server, in OPEA's format",
};

const conversation = describe({
  summary:
    "A conversation in OPEA's format: OpenAI's, except that messages may be a string, and streaming is the default.",
  body: opeaSchema,
  response: responses.chatCompletion,
  streams: "text/event-stream",
});

const service = describe({
  summary: "Description of the service, in OPEA's format.",
  response: responses.healthCheck,
  isPublic: true,
});

const latencies = describe({
  summary: "Latencies of recent completed responses by route, in seconds, in OPEA's format.",
  response: responses.statistics,
});

/** OPEA's routes: its mega-services, and endpoints for its orchestrator and dashboards. */
export function opeaRoutes(app: FastifyInstance, gateway: AppContext, statistics: Statistics): void {
  const handler = generationHandler(gateway, opeaSchema, (body, ignored) =>
    adaptChat(toChatRequest(body, gateway.config.LLM_MODEL_ID), ignored),
  );
  for (const path of ["/v1/example-service", "/v1/chatqna"]) {
    app.post(path, conversation, async (request, reply) => {
      try {
        await handler(request, reply);
      } catch (error) {
        throw error instanceof ApiError && error.code === "model_not_found" ? withStatus400(error) : error;
      }
    });
  }

  app.get("/v1/health_check", service, () => healthCheck);
  app.get("/v1/statistics", latencies, () => statistics.summary());
}

/** OPEA's clients expect 400 for an unknown model, OpenAI's 404. */
function withStatus400(error: ApiError): ApiError {
  return new ApiError(error.code, { status: 400, message: error.message, param: "model" });
}
