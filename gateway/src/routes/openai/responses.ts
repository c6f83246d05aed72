import type { FastifyInstance } from "fastify";
import type { AppContext } from "../../app-context.ts";
import { translateResponses } from "../../apis/openai-responses/adapter.ts";
import { responsesSchema } from "../../apis/openai-responses/schema.ts";
import { parseRequest } from "../parse-request.ts";
import { generate } from "../../generation/generate.ts";

export function responsesRoute(app: FastifyInstance, gateway: AppContext): void {
  app.post("/v1/responses", (request, reply) =>
    generate(
      gateway,
      request,
      reply,
      translateResponses(parseRequest(gateway, request, reply, responsesSchema)),
    ),
  );
}
