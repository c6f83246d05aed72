import type { FastifyReply, FastifyRequest } from "fastify";
import type * as z from "zod";
import type { IgnoredParameters } from "../apis/common/parameters.ts";
import { parseBody } from "../apis/common/validation.ts";
import type { AppContext } from "../app-context.ts";
import { unsupportedValue } from "../errors.ts";
import { setIgnoredHeader } from "../generation/ignored-header.ts";

/** Collects the parameters that an adapter ignores; rejects them with STRICT_PARAMETERS. */
export function ignoredParameters(
  { config }: Pick<AppContext, "config">,
  { record }: FastifyRequest,
): IgnoredParameters {
  return config.STRICT_PARAMETERS === "on" ? rejecting : record;
}

const rejecting: IgnoredParameters = {
  ignore(param) {
    throw unsupportedValue(param, "the gateway does not support it. Leave it out.");
  },
};

/**
 * Validates a request's body, leniently unless STRICT_PARAMETERS is on.
 *
 * @throws ApiError naming the first invalid parameter in `param`
 */
export function parseRequest<Output>(
  { config }: Pick<AppContext, "config">,
  request: FastifyRequest,
  reply: FastifyReply,
  schema: z.ZodType<Output>,
): Output {
  const { body, record } = request;
  const parsed = parseBody(schema, body, { strict: config.STRICT_PARAMETERS === "on", ignored: record });
  setIgnoredHeader(reply, record);
  return parsed;
}
