import type { FastifyInstance, FastifyReply } from "fastify";
import { ApiError } from "../errors.ts";
import { type IndexedMember, IndexedSet } from "../lib/indexed-set.ts";

/** A body that has not arrived completely. */
interface PendingBody extends IndexedMember {
  readonly reply: FastifyReply;
  readonly until: number;
}

declare module "fastify" {
  interface FastifyRequest {
    pendingBody: PendingBody | undefined;
  }
}

// Interval of the checks for overdue bodies.
const CHECK_MS = 1000;

function rejectLate(reply: FastifyReply): void {
  void reply.header("connection", "close").send(new ApiError("request_timeout"));
}

/**
 * Responds to requests whose body does not arrive in time. Node's own timeout has no exceptions per route, and uploads
 * of model files take long: proxied routes only need to keep sending.
 *
 * @param unlimited patterns of the routes without a deadline
 */
export function enforceBodyDeadline(
  app: FastifyInstance,
  timeoutMs: number,
  unlimited: ReadonlySet<string>,
): void {
  const pending = new IndexedSet<PendingBody>();
  app.decorateRequest("pendingBody");
  const timer = setInterval(
    () => {
      const now = performance.now();
      for (const body of pending) {
        // Dropped here, which avoids a listener per request.
        const isClosed = body.reply.raw.closed;
        if (body.until > now && !isClosed) continue;
        pending.delete(body);
        if (!isClosed) rejectLate(body.reply);
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
    if (unlimited.has(request.record.route ?? "")) {
      request.raw.setTimeout(timeoutMs, () => {
        if (!request.raw.complete && !reply.sent) rejectLate(reply);
        else if (!request.raw.complete) request.raw.destroy();
      });
    } else {
      const body = { reply, until: request.record.startedAt + timeoutMs, index: 0 };
      request.pendingBody = body;
      pending.add(body);
    }
    done();
  });
  app.addHook("preValidation", (request, _reply, done) => {
    if (request.pendingBody !== undefined) pending.delete(request.pendingBody);
    done();
  });
  app.addHook("onClose", (_app, done) => {
    clearInterval(timer);
    done();
  });
}
