import type { FastifyInstance, FastifyReply } from "fastify";
import { ApiError } from "../errors.ts";
import { type IndexedMember, IndexedSet } from "../lib/indexed-set.ts";

/** A body that has yet to come as a whole. */
interface ComingBody extends IndexedMember {
  readonly reply: FastifyReply;
  readonly until: number;
}

declare module "fastify" {
  interface FastifyRequest {
    comingBody: ComingBody | undefined;
  }
}

// How often it is looked for bodies that are overdue.
const CHECK_MS = 1000;

function refuseLate(reply: FastifyReply): void {
  void reply.header("connection", "close").send(new ApiError("request_timeout"));
}

/**
 * Answers requests whose body does not come in time. (Node's own limit makes no exception, and a model's file takes as
 * long as it takes: the routes that are passed on as they come only must not fall silent.)
 *
 * @param unlimited patterns of the routes whose body may take longer
 */
export function enforceBodyDeadline(
  app: FastifyInstance,
  timeoutMs: number,
  unlimited: ReadonlySet<string>,
): void {
  const coming = new IndexedSet<ComingBody>();
  app.decorateRequest("comingBody");
  const timer = setInterval(
    () => {
      const now = performance.now();
      for (const body of coming) {
        // Dropped here, so that no request needs a listener for it.
        const isClosed = body.reply.raw.closed;
        if (body.until > now && !isClosed) continue;
        coming.delete(body);
        if (!isClosed) refuseLate(body.reply);
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
        if (!request.raw.complete && !reply.sent) refuseLate(reply);
        else if (!request.raw.complete) request.raw.destroy();
      });
    } else {
      const body = { reply, until: performance.now() + timeoutMs, index: 0 };
      request.comingBody = body;
      coming.add(body);
    }
    done();
  });
  app.addHook("preValidation", (request, _reply, done) => {
    if (request.comingBody !== undefined) coming.delete(request.comingBody);
    done();
  });
  app.addHook("onClose", (_app, done) => {
    clearInterval(timer);
    done();
  });
}
