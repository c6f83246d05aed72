import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { ApiError } from "./errors.ts";

// How often it is looked for bodies that are overdue.
const CHECK_MS = 1000;

/**
 * Answers requests whose body does not come in time. (Node's own limit makes no exception, and a model's file takes as
 * long as it takes: the routes that are passed on as they come only must not fall silent.)
 *
 * @param unlimited patterns of the routes whose body may take longer
 */
export function limitBodies(app: FastifyInstance, timeoutMs: number, unlimited: ReadonlySet<string>): void {
  const coming = new Map<FastifyRequest, { readonly reply: FastifyReply; readonly until: number }>();
  const timer = setInterval(
    () => {
      const now = performance.now();
      for (const [request, { reply, until }] of coming) {
        // The others have come later.
        if (until > now) break;
        coming.delete(request);
        void reply.header("connection", "close").send(new ApiError("request_timeout"));
      }
    },
    Math.min(CHECK_MS, timeoutMs),
  ).unref();

  app.addHook("onRequest", (request, reply, done) => {
    const { "content-length": length, "transfer-encoding": encoding } = request.headers;
    if ((length === undefined || length === "0") && encoding === undefined) {
      done();
      return;
    }
    if (unlimited.has(request.routeOptions.url ?? "")) {
      request.raw.setTimeout(timeoutMs, () => {
        if (!request.raw.complete) request.raw.destroy();
      });
    } else {
      coming.set(request, { reply, until: performance.now() + timeoutMs });
      reply.raw.once("close", () => coming.delete(request));
    }
    done();
  });
  app.addHook("preValidation", (request, _reply, done) => {
    coming.delete(request);
    done();
  });
  app.addHook("onClose", (_app, done) => {
    clearInterval(timer);
    done();
  });
}
