import type { FastifyInstance } from "fastify";
import type { Gateway } from "../../app-context.ts";
import { translateResponses } from "../../apis/openai-responses/adapter.ts";
import { responsesSchema } from "../../apis/openai-responses/schema.ts";
import { parseBody } from "../../apis/common/validation.ts";
import { answer } from "../../generation/generate.ts";

export function responsesRoute(app: FastifyInstance, gateway: Gateway): void {
  app.post("/v1/responses", (request, reply) =>
    answer(gateway, request, reply, translateResponses(parseBody(responsesSchema, request.body))),
  );
}
