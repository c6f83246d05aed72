import type { FastifyInstance } from "fastify";
import type { AppContext } from "../../app-context.ts";
import { adaptMessages, adaptTokenCount } from "../../apis/anthropic-messages/adapter.ts";
import { countTokensSchema, messagesSchema } from "../../apis/anthropic-messages/schema.ts";
import { generate } from "../../generation/generate.ts";
import { ignoredParameters, parseRequest } from "../parse-request.ts";

/** Anthropic's routes. Its clients look for a request's id in `request-id`. */
export function messagesRoute(app: FastifyInstance, gateway: AppContext): void {
  app.post("/v1/messages", (request, reply) => {
    void reply.header("request-id", request.id);
    const body = parseRequest(gateway, request, reply, messagesSchema);
    return generate(gateway, request, reply, adaptMessages(body, ignoredParameters(gateway, request)));
  });

  app.post("/v1/messages/count_tokens", (request, reply) => {
    void reply.header("request-id", request.id);
    const body = parseRequest(gateway, request, reply, countTokensSchema);
    return generate(gateway, request, reply, adaptTokenCount(body, ignoredParameters(gateway, request)));
  });
}
