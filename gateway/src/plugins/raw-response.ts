import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { ApiError } from "../errors.ts";

// How long a client may go on sending a body that nobody reads. Closed at once, its connection would be reset, and the
// response with it; an edge that had no time to read the response by then reports 502.
const LINGER_MS = 5000;

const closing = new WeakSet<Socket>();

/** Whether a connection gets its last response, or has got it. */
export function isClosing(socket: Socket): boolean {
  return closing.has(socket);
}

/** Closes a connection once its response has been sent; what still arrives is dropped, and only for a moment. */
export function closeAfterResponse(socket: Socket): void {
  if (closing.has(socket)) return;
  closing.add(socket);
  // Node.js calls it after the last response.
  socket.destroySoon = () => {
    socket.end();
    const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
    socket.once("close", () => {
      clearTimeout(timer);
    });
  };
}

/** Answers where there is no request that a route could answer, and closes the connection. */
export function respondAndClose(socket: Socket, error: ApiError): void {
  const body = JSON.stringify(error.body());
  closeAfterResponse(socket);
  socket.write(
    `HTTP/1.1 ${error.status} ${STATUS_CODES[error.status] ?? ""}\r\n` +
      "Connection: close\r\n" +
      "Content-Type: application/json; charset=utf-8\r\n" +
      (error.retryAfter === undefined ? "" : `Retry-After: ${error.retryAfter}\r\n`) +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  socket.destroySoon();
}
