import type { FastifyReply, FastifyRequest } from "fastify";
import type * as z from "zod";
import type { ApiAdapter } from "../apis/adapter.ts";
import type { IgnoredParameters } from "../apis/common/parameters.ts";
import type { AppContext } from "../app-context.ts";
import { generate } from "../generation/generate.ts";
import { ignoredParameters, parseRequest } from "./parse-request.ts";

/**
 * Creates the handler of a route that generates: validates the body, translates it, and responds.
 *
 * @param adapt translates a body; throws an ApiError if it cannot
 */
export function generationHandler<Body>(
  gateway: AppContext,
  schema: z.ZodType<Body>,
  adapt: (body: Body, ignored: IgnoredParameters) => ApiAdapter,
) {
  return (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const body = parseRequest(gateway, request, reply, schema);
    return generate(gateway, request, reply, adapt(body, ignoredParameters(gateway, request)));
  };
}
