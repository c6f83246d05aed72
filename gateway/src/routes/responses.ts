import type { FastifyInstance } from "fastify";
import type { Gateway } from "../gateway.ts";
import { translateResponses } from "../translate/responses.ts";
import { responsesSchema } from "../translate/responses-schema.ts";
import { parseBody } from "../validation.ts";
import { answer } from "./answer.ts";

export function responsesRoute(app: FastifyInstance, gateway: Gateway): void {
  app.post("/v1/responses", (request, reply) =>
    answer(gateway, request, reply, translateResponses(parseBody(responsesSchema, request.body))),
  );
}
