import type { FastifyInstance } from "fastify";

/**
 * Closes the connections of a draining gateway, so that clients reconnect to another one. Only with a `connection:
 * close` response: otherwise the client's next request may already be in transit and would fail.
 */
export function closeWhileDraining(app: FastifyInstance, isDraining: () => boolean): void {
  app.addHook("onRequest", (_request, reply, done) => {
    if (isDraining()) reply.raw.shouldKeepAlive = false;
    done();
  });
}
