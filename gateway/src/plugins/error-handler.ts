import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { errorFormatOf } from "../apis/error-formats.ts";
import { ApiError, toApiError } from "../errors.ts";
import { ACCEPTED_ENCODINGS } from "../lib/content-encodings.ts";
import { closeAfterResponse, respondAndClose } from "./raw-response.ts";

/** Answers whatever a route throws, and what no route takes, in the form of the API that was spoken. */
export function answerErrors(app: FastifyInstance): void {
  const methodsOf = new Map<string, Set<string>>();
  app.addHook("onRoute", ({ url, method }) => {
    const methods = methodsOf.get(url) ?? new Set();
    for (const each of [method].flat()) methods.add(each);
    methodsOf.set(url, methods);
  });

  app.setErrorHandler(async (thrown, request, reply) => {
    const error = toApiError(thrown);
    request.record.error ??= error;
    if (reply.raw.destroyed) {
      // Nobody is there to be answered.
      reply.hijack();
      return reply;
    }
    if (error.retryAfter !== undefined) void reply.header("retry-after", error.retryAfter);
    if (error.code === "unsupported_media_type") void reply.header("accept-encoding", ACCEPTED_ENCODINGS);
    if (error.final) void reply.header("x-should-retry", "false");
    // The rest of a body that nobody reads must not take the response with it. An edge has to learn that the connection
    // will be closed: its next request on it would be lost.
    if (await isBodyMissing(request.raw)) {
      void reply.header("connection", "close");
      // undici takes the request's from one whose body it gives up.
      const { socket } = reply.raw;
      if (socket !== null) closeAfterResponse(socket);
    }
    if (error.code === "shutting_down") void reply.header("connection", "close");
    const { body, status, idHeader } = errorFormatOf(request.url);
    if (idHeader !== undefined) void reply.header(idHeader, request.id);
    return reply.code(status(error)).send(body(error, request.id));
  });

  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0] ?? "";
    const allowed = methodsOf.get(path);
    if (allowed === undefined) throw new ApiError("route_not_found");
    const methods = [...allowed].join(", ");
    void reply.header("allow", methods);
    throw new ApiError("method_not_allowed", {
      message: `The route does not take ${request.method}, only ${methods}.`,
    });
  });
}

/** Whether some of a body has yet to arrive. What came with the head is parsed right after the hooks that refuse it. */
async function isBodyMissing(request: IncomingMessage): Promise<boolean> {
  if (request.complete) return false;
  request.resume();
  await setImmediate();
  return !request.complete;
}

/** Answers bytes that are no HTTP request, or not in time, where there is no request yet that a route could answer. */
export function answerUnreadable(cause: Error & { code?: string }, socket: Socket): void {
  const error = toApiError(Object.assign(cause, { statusCode: 400 }));
  if (cause.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  respondAndClose(socket, error);
}
