import type { FastifyInstance } from "fastify";
import type { AppContext } from "../../app-context.ts";
import type { KeyStore } from "../../auth/key-store.ts";
import { ApiError } from "../../errors.ts";
import { describe } from "../../openapi/operation.ts";

const described = describe({
  summary: "Metrics in Prometheus' format. With several keys, requires an admin key.",
  response: "text/plain",
});

export function metricsRoute(
  app: FastifyInstance,
  { metrics }: AppContext,
  keys: Pick<KeyStore, "hadMultiple">,
): void {
  app.get("/metrics", described, async ({ consumer }, reply) => {
    // Metrics show the usage of every key.
    if (keys.hadMultiple && !consumer.admin) {
      throw new ApiError("admin_key_required", {
        message:
          "Only a key with the admin flag may read the metrics, which show the usage of all keys. " +
          "What is left of this key's limits is in the x-ratelimit headers of each response.",
      });
    }
    void reply.header("content-type", metrics.contentType);
    return metrics.expose();
  });
}
