import type { FastifyInstance } from "fastify";
import type { AppContext } from "../../app-context.ts";
import { translateMessages } from "../../apis/anthropic-messages/adapter.ts";
import { messagesSchema } from "../../apis/anthropic-messages/schema.ts";
import { parseRequest } from "../parse-request.ts";
import { generate } from "../../generation/generate.ts";

/** Anthropic's route. */
export function messagesRoute(app: FastifyInstance, gateway: AppContext): void {
  app.post("/v1/messages", (request, reply) => {
    // Anthropic's clients look for the id here.
    void reply.header("request-id", request.id);
    return generate(
      gateway,
      request,
      reply,
      translateMessages(parseRequest(gateway, request, reply, messagesSchema)),
    );
  });
}
