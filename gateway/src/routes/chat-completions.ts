import type { FastifyInstance } from "fastify";
import type { Gateway } from "../gateway.ts";
import { translateChat } from "../translate/chat.ts";
import { chatSchema } from "../translate/chat-schema.ts";
import { parseBody } from "../validation.ts";
import { answer } from "./answer.ts";

export function chatCompletionsRoute(app: FastifyInstance, gateway: Gateway): void {
  app.post("/v1/chat/completions", (request, reply) =>
    answer(gateway, request, reply, translateChat(parseBody(chatSchema, request.body))),
  );
}
