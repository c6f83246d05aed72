import type { FastifyInstance } from "fastify";

/** Has clients of a gateway that is about to go make their next connection, which leads to another one. */
export function closeWhileDraining(app: FastifyInstance, isDraining: () => boolean): void {
  app.addHook("onRequest", (_request, reply, done) => {
    if (isDraining()) reply.raw.shouldKeepAlive = false;
    done();
  });
  // What had begun before: its header promised to keep the connection.
  app.addHook("onResponse", (request, reply, done) => {
    if (reply.raw.shouldKeepAlive && isDraining()) request.raw.socket.end();
    done();
  });
}
