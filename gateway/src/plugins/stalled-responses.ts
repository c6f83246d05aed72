import type { FastifyInstance } from "fastify";
import { ApiError } from "../errors.ts";

// The kernel takes shorter responses even if the client does not read.
const SHORT_BYTES = 64 * 1024;

/**
 * Disconnects a client that has not read anything of its response for `timeoutMs`, as what it has yet to read fills
 * memory. Streams of generated text, which are written without a payload, have their own timeout.
 */
export function closeStalledResponses(app: FastifyInstance, timeoutMs: number): void {
  app.addHook("onSend", (request, { raw }, payload, done) => {
    if (isLong(payload)) {
      // Also called while a forwarded response of Ollama pauses.
      raw.setTimeout(timeoutMs, () => {
        if (raw.writableLength === 0) return;
        request.record.error ??= new ApiError("client_stalled");
        raw.destroy();
      });
      // Before Node.js begins the next response, if its request is already there: that one may take longer.
      raw.prependOnceListener("finish", () => raw.socket?.setTimeout(0));
    }
    done();
  });
}

/** Whether it is a long text, or a stream of any length. */
function isLong(payload: unknown): boolean {
  if (typeof payload === "string" || Buffer.isBuffer(payload)) return payload.length > SHORT_BYTES;
  return payload !== null && payload !== undefined;
}
