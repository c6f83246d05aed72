import type { FastifyInstance } from "fastify";
import type { Gateway } from "../../app-context.ts";

export function metricsRoute(app: FastifyInstance, { metrics }: Gateway): void {
  app.get("/metrics", async (_request, reply) => {
    void reply.header("content-type", metrics.contentType);
    return metrics.expose();
  });
}
