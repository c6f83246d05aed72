import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import type { FastifyInstance } from "fastify";
import { errorFormatOf } from "../apis/error-formats.ts";
import { ApiError, toApiError } from "../errors.ts";
import { ACCEPTED_ENCODINGS } from "../lib/content-encodings.ts";
import { closeAfterResponse, respondAndClose } from "./raw-response.ts";

/** Responds to errors thrown by routes, and to unknown routes, in the error format of the API. */
export function handleErrors(app: FastifyInstance): void {
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
      // The client has disconnected.
      reply.hijack();
      return reply;
    }
    if (error.retryAfter !== undefined) void reply.header("retry-after", error.retryAfter);
    if (error.code === "unsupported_media_type") void reply.header("accept-encoding", ACCEPTED_ENCODINGS);
    if (error.final) void reply.header("x-should-retry", "false");
    // An unread rest of the body must not prevent the response. Announce the close, or an edge loses its next request
    // on the connection.
    if (await isBodyMissing(request.raw)) {
      void reply.header("connection", "close");
      // undici detaches the socket from a request whose body it aborts.
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
    const segments = path.split("/");
    const allowed = [...methodsOf].filter(([pattern]) => matchesPattern(segments, pattern));
    if (allowed.length === 0) throw new ApiError("route_not_found");
    const methods = [...new Set(allowed.flatMap(([, each]) => [...each]))].join(", ");
    void reply.header("allow", methods);
    throw new ApiError("method_not_allowed", {
      message: `The route does not support ${request.method}. Use ${methods}.`,
    });
  });
}

/** @param pattern of a route, such as `/v1/responses/:id` or `/v1/models/*` */
function matchesPattern(segments: readonly string[], pattern: string): boolean {
  const expected = pattern.split("/");
  return (
    (expected.at(-1) === "*" ? segments.length >= expected.length : segments.length === expected.length) &&
    expected.every(
      (each, n) => each === "*" || each === segments[n] || (each.startsWith(":") && segments[n] !== ""),
    )
  );
}

/**
 * Whether part of a body has yet to arrive. What came with the headers is parsed right after the hooks that may reject
 * the request.
 */
async function isBodyMissing(request: IncomingMessage): Promise<boolean> {
  if (request.complete) return false;
  request.resume();
  await setImmediate();
  return !request.complete;
}

/** Responds to bytes that are not an HTTP request, or that do not arrive in time. */
export function handleClientError(cause: Error & { code?: string }, socket: Socket): void {
  const error = toApiError(Object.assign(cause, { statusCode: 400 }));
  if (cause.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  respondAndClose(socket, error);
}
