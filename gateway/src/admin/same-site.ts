import type { FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import { isSameOrigin } from "../lib/network/allowed-origins.ts";

/**
 * Refuses requests of pages that do not come from the gateway itself, even of origins that may use the models. Browsers
 * send `Sec-Fetch-Site` with every request; an `Origin` is missing from many that only read.
 *
 * @throws ApiError `origin_not_allowed`
 */
export function requireSameSite({ headers }: FastifyRequest): void {
  const { origin, host, "sec-fetch-site": site } = headers;
  const isForeign =
    origin === undefined ? site === "cross-site" || site === "same-site" : !isSameOrigin(origin, host);
  if (!isForeign) return;
  throw new ApiError("origin_not_allowed", {
    message:
      "Only pages of the gateway itself may use the admin API. Open its console, or send the request from elsewhere than a web page.",
  });
}
