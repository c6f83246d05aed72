import type { FastifyInstance } from "fastify";
import type { Gateway } from "../../app-context.ts";
import { completionsSchema, translateCompletion } from "../../apis/openai-completions/adapter.ts";
import { parseBody } from "../../apis/common/validation.ts";
import { answer } from "../../generation/generate.ts";

export function completionsRoute(app: FastifyInstance, gateway: Gateway): void {
  app.post("/v1/completions", (request, reply) =>
    answer(gateway, request, reply, translateCompletion(parseBody(completionsSchema, request.body))),
  );
}
