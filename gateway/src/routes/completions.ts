import type { FastifyInstance } from "fastify";
import type { Gateway } from "../gateway.ts";
import { completionsSchema, translateCompletion } from "../translate/completions.ts";
import { parseBody } from "../validation.ts";
import { answer } from "./answer.ts";

export function completionsRoute(app: FastifyInstance, gateway: Gateway): void {
  app.post("/v1/completions", (request, reply) =>
    answer(gateway, request, reply, translateCompletion(parseBody(completionsSchema, request.body))),
  );
}
