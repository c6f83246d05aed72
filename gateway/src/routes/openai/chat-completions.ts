import type { FastifyInstance } from "fastify";
import type { AppContext } from "../../app-context.ts";
import { adaptChat } from "../../apis/openai-chat/adapter.ts";
import { chatSchema } from "../../apis/openai-chat/schema.ts";
import { generationHandler } from "../generation-handler.ts";
import { describe } from "../../openapi/operation.ts";
import { chatCompletion } from "../../openapi/response-schemas.ts";

const described = describe({
  summary: "A conversation in OpenAI's format.",
  body: chatSchema,
  response: chatCompletion,
  streams: "text/event-stream",
});

export function chatCompletionsRoute(app: FastifyInstance, gateway: AppContext): void {
  app.post("/v1/chat/completions", described, generationHandler(gateway, chatSchema, adaptChat));
}
