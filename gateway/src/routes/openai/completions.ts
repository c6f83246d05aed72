import type { FastifyInstance } from "fastify";
import type { AppContext } from "../../app-context.ts";
import { completionsSchema, translateCompletion } from "../../apis/openai-completions/adapter.ts";
import { parseRequest } from "../parse-request.ts";
import { generate } from "../../generation/generate.ts";

export function completionsRoute(app: FastifyInstance, gateway: AppContext): void {
  app.post("/v1/completions", (request, reply) =>
    generate(
      gateway,
      request,
      reply,
      translateCompletion(parseRequest(gateway, request, reply, completionsSchema)),
    ),
  );
}
