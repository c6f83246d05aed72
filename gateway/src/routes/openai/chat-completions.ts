import type { FastifyInstance } from "fastify";
import type { Gateway } from "../../app-context.ts";
import { translateChat } from "../../apis/openai-chat/adapter.ts";
import { chatSchema } from "../../apis/openai-chat/schema.ts";
import { parseBody } from "../../apis/common/validation.ts";
import { answer } from "../../generation/generate.ts";

export function chatCompletionsRoute(app: FastifyInstance, gateway: Gateway): void {
  app.post("/v1/chat/completions", (request, reply) =>
    answer(gateway, request, reply, translateChat(parseBody(chatSchema, request.body))),
  );
}
