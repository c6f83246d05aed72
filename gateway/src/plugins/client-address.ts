import type { FastifyInstance } from "fastify";
import type { TrustedProxies } from "../lib/network/trusted-proxies.ts";

/**
 * Makes `request.ip` the client's address: where the connection comes from, or, if that is a trusted proxy, the last
 * address of X-Forwarded-For that is not. The app takes `proxies.trusts` as its `trustProxy`; this hook comes before
 * all that read `request.ip`, and looks up the proxies' names where that makes a difference.
 */
export function findClientAddress(app: FastifyInstance, proxies: TrustedProxies): void {
  app.addHook("onRequest", (request, reply, done) => {
    const peer = request.socket.remoteAddress;
    if (request.headers["x-forwarded-for"] === undefined || peer === undefined || !proxies.mayTrust(peer)) {
      done();
      return;
    }
    void proxies.refresh().then(() => {
      // Of a client that has left meanwhile, what the hooks behind this one take would never be given back.
      if (!reply.raw.closed) done();
    });
  });
}
