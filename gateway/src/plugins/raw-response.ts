import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { ApiError } from "../errors.ts";

// How long to accept a body that nobody reads. An immediate close would reset the connection and could lose the
// response, for which an edge reports 502.
const LINGER_MS = 5000;

const closing = new WeakSet<Socket>();

/** Whether the connection's last response has been or is being sent. */
export function isClosing(socket: Socket): boolean {
  return closing.has(socket);
}

/** Closes a connection after its response has been sent, discarding received data for a moment. */
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

/** Sends an error on a connection without a parsed request, and closes it. */
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
