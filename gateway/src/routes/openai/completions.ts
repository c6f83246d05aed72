import type { FastifyInstance } from "fastify";
import type { AppContext } from "../../app-context.ts";
import { completionsSchema, adaptCompletion } from "../../apis/openai-completions/adapter.ts";
import { generationHandler } from "../generation-handler.ts";
import { describe } from "../../openapi/operation.ts";
import { completion } from "../../openapi/response-schemas.ts";

const described = describe({
  summary: "Completes one or several prompts in sequence, in OpenAI's older format.",
  body: completionsSchema,
  response: completion,
  streams: "text/event-stream",
});

export function completionsRoute(app: FastifyInstance, gateway: AppContext): void {
  app.post("/v1/completions", described, generationHandler(gateway, completionsSchema, adaptCompletion));
}
