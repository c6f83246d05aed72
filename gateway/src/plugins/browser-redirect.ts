import type { FastifyInstance } from "fastify";
import { Consumer } from "../auth/consumer.ts";
import { extendVary } from "../lib/vary.ts";

const NOBODY = new Consumer({});

const READ_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD"]);

/**
 * Redirects browsers that open the gateway's root to the web console, even if keys are required, as browsers cannot
 * send one with a link. Other clients get Ollama's response.
 */
export function redirectBrowsers(app: FastifyInstance): void {
  app.addHook("onRequest", (request, reply, done) => {
    if (request.url !== "/" || !READ_METHODS.has(request.method)) {
      done();
      return;
    }
    void reply.header("vary", extendVary(reply.getHeader("vary"), "Accept"));
    if (!acceptsHtml(request.headers.accept)) {
      done();
      return;
    }
    request.consumer = NOBODY;
    void reply.redirect("console/", 302);
  });
}

/** Browsers accept `text/html` explicitly; other programs send only `*`. */
function acceptsHtml(accept: string | undefined): boolean {
  return accept !== undefined && /(^|,)\s*text\/html\s*(;|,|$)/i.test(accept);
}
