import type { FastifyInstance } from "fastify";
import type { TrustedProxies } from "../lib/network/trusted-proxies.ts";

/**
 * Makes `request.ip` the client's address: the peer of the connection or, if that is a trusted proxy, the last
 * untrusted address of X-Forwarded-For. The app uses `proxies.trusts` as its `trustProxy`. This hook must come before
 * all that read `request.ip`; it resolves the proxies' names if needed.
 */
export function findClientAddress(app: FastifyInstance, proxies: TrustedProxies): void {
  app.addHook("onRequest", (request, reply, done) => {
    const peer = request.socket.remoteAddress;
    if (request.headers["x-forwarded-for"] === undefined || peer === undefined || !proxies.mayTrust(peer)) {
      done();
      return;
    }
    void proxies.refresh().then(() => {
      // After a disconnect, later hooks would acquire resources that are never released.
      if (!reply.raw.closed) done();
    });
  });
}
