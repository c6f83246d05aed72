import { Transform } from "node:stream";
import type { FastifyInstance } from "fastify";
import { ApiError } from "./errors.ts";

// A body is held up to four times over: as text, as values, as Ollama's request and as its bytes. As many as may wait,
// each as large as it may be, would be more than the process has.

// Bodies without images: as many as may wait are few MiB, and they are not to be refused because of a few large ones.
const SMALL_BYTES = 64 * 1024;

interface Budget {
  /** Of all bodies together, bytes. */
  readonly all: number;
  /** Of one, bytes: what is longer is refused by who reads it. */
  readonly one: number;
}

/**
 * Bounds what the bodies of all requests that are under way take together, but one always has room. A body that has
 * none is refused before it is read, or as soon as it is known how long it gets.
 *
 * @param unlimited patterns of the routes whose bodies are passed on as they come
 */
export function boundBodies(app: FastifyInstance, budget: Budget, unlimited: ReadonlySet<string>): void {
  const limit = Math.max(budget.all, budget.one);
  let held = 0;
  const take = (bytes: number): boolean => {
    if (held + bytes > limit) return false;
    held += bytes;
    return true;
  };

  app.addHook("onRequest", (request, reply, done) => {
    const length = Number(request.headers["content-length"] ?? 0);
    if (length <= SMALL_BYTES || unlimited.has(request.routeOptions.url ?? "")) {
      done();
      return;
    }
    if (length <= budget.one) {
      if (!take(length)) {
        done(new ApiError("bodies_full"));
        return;
      }
      reply.raw.once("close", () => (held -= length));
    }
    done();
  });

  app.addHook("preParsing", (request, reply, payload, done) => {
    const { "transfer-encoding": encoding } = request.headers;
    if (encoding === undefined || unlimited.has(request.routeOptions.url ?? "")) {
      done(null, payload);
      return;
    }
    let seen = 0;
    let own = 0;
    const counted = new Transform({
      transform(piece: Buffer, _encoding, next) {
        seen += piece.length;
        const bytes = seen <= SMALL_BYTES ? 0 : seen - own;
        if (!take(bytes)) {
          next(new ApiError("bodies_full"));
          return;
        }
        own += bytes;
        next(null, piece);
      },
    });
    reply.raw.once("close", () => (held -= own));
    // What is still to come is read and forgotten, so that the client gets to read its answer.
    counted.once("error", () => request.raw.unpipe(counted).resume());
    done(null, request.raw.pipe(counted));
  });
}
