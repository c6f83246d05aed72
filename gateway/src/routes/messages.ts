import type { FastifyInstance } from "fastify";
import type { Gateway } from "../gateway.ts";
import { translateMessages } from "../translate/messages.ts";
import { messagesSchema } from "../translate/messages-schema.ts";
import { parseBody } from "../validation.ts";
import { answer } from "./answer.ts";

/** Anthropic's route. */
export function messagesRoute(app: FastifyInstance, gateway: Gateway): void {
  app.post("/v1/messages", (request, reply) => {
    // Anthropic's clients look for the id here.
    void reply.header("request-id", request.id);
    return answer(gateway, request, reply, translateMessages(parseBody(messagesSchema, request.body)));
  });
}
