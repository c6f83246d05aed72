import type { FastifyInstance } from "fastify";
import type { AppContext } from "../../app-context.ts";
import { adaptMessages, adaptTokenCount } from "../../apis/anthropic-messages/adapter.ts";
import { countTokensSchema, messagesSchema } from "../../apis/anthropic-messages/schema.ts";
import { generationHandler } from "../generation-handler.ts";
import { describe } from "../../openapi/operation.ts";
import { message, tokenCount } from "../../openapi/response-schemas.ts";

const conversation = describe({
  summary: "A conversation in Anthropic's format.",
  body: messagesSchema,
  response: message,
  streams: "text/event-stream",
});

const counting = describe({
  summary: "Counts the tokens of a conversation in Anthropic's format, by having the model process it.",
  body: countTokensSchema,
  response: tokenCount,
});

/** Anthropic's routes. Its clients read the request's ID from `request-id`. */
export function messagesRoute(app: FastifyInstance, gateway: AppContext): void {
  const generating = generationHandler(gateway, messagesSchema, adaptMessages);
  app.post("/v1/messages", conversation, (request, reply) => {
    void reply.header("request-id", request.id);
    return generating(request, reply);
  });

  const countingTokens = generationHandler(gateway, countTokensSchema, adaptTokenCount);
  app.post("/v1/messages/count_tokens", counting, (request, reply) => {
    void reply.header("request-id", request.id);
    return countingTokens(request, reply);
  });
}
