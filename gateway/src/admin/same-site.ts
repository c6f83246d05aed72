import type { FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import { isSameOrigin } from "../lib/network/allowed-origins.ts";

/**
 * Rejects requests from pages not served by the gateway itself, even from allowed origins. Checks `Sec-Fetch-Site`,
 * which browsers always send, while `Origin` is missing from many reads.
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
      "Web pages other than the gateway's own may not use the admin API. Use the gateway's console, or a client other than a browser.",
  });
}
