import type { FastifyInstance } from "fastify";

/**
 * Has clients of a gateway that is about to go make their next connection, which leads to another one. Only a response
 * that says so closes its connection: on another, the next request may be on its way already, and would fail.
 */
export function closeWhileDraining(app: FastifyInstance, isDraining: () => boolean): void {
  app.addHook("onRequest", (_request, reply, done) => {
    if (isDraining()) reply.raw.shouldKeepAlive = false;
    done();
  });
}
