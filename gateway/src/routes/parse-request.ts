import type { FastifyReply, FastifyRequest } from "fastify";
import type * as z from "zod";
import type { IgnoredParameters } from "../apis/common/parameters.ts";
import { parseBody } from "../apis/common/validation.ts";
import type { AppContext } from "../app-context.ts";
import { ApiError } from "../errors.ts";
import { setIgnoredHeader } from "../generation/ignored-header.ts";

/** Takes what an adapter leaves out of a request, or refuses it with STRICT_PARAMETERS. */
export function ignoredParameters(
  { config }: Pick<AppContext, "config">,
  { record }: FastifyRequest,
): IgnoredParameters {
  return config.STRICT_PARAMETERS === "on" ? refusing : record;
}

const refusing: IgnoredParameters = {
  ignore(param) {
    throw new ApiError("unsupported_parameter", {
      message: `Unsupported value for '${param}': the gateway cannot honour it. Leave it out.`,
      param,
    });
  },
};

/**
 * Reads a request's body by its schema, as leniently as STRICT_PARAMETERS allows.
 *
 * @throws ApiError that names the first wrong parameter in `param`
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
