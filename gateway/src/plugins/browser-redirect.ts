import type { FastifyInstance } from "fastify";
import { Consumer } from "../auth/consumer.ts";

const NOBODY = new Consumer({});

const READING: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/**
 * Sends browsers that open the gateway's address to the web console, also where a key is needed: a browser cannot send
 * one with a link. Every other client gets what Ollama says there.
 */
export function redirectBrowsers(app: FastifyInstance): void {
  app.addHook("onRequest", (request, reply, done) => {
    if (request.url !== "/" || !READING.has(request.method)) {
      done();
      return;
    }
    void reply.header("vary", "Accept");
    if (!acceptsHtml(request.headers.accept)) {
      done();
      return;
    }
    request.consumer = NOBODY;
    void reply.redirect("console/", 302);
  });
}

/** Browsers name HTML; `*` alone is what programs send. */
function acceptsHtml(accept: string | undefined): boolean {
  return accept !== undefined && /(^|,)\s*text\/html\s*(;|,|$)/i.test(accept);
}
