import { createReadStream, readFileSync, statSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Faults } from "./settings.ts";

/** A request to one of the sites. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Decoded, without the query. */
  readonly path: string;
  readonly faults: Faults;
}

export function sendText({ response }: Call, status: number, text: string, headers = {}): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(text), ...headers });
  response.end(text);
}

export function sendJson(call: Call, status: number, value: unknown, headers = {}): void {
  sendText(call, status, JSON.stringify(value), { "content-type": "application/json", ...headers });
}

export function redirect({ response }: Call, location: string, status = 302): void {
  response.writeHead(status, { location, "content-length": 0 });
  response.end();
}

/** A file, or the requested range of it; slow, cut or corrupted if the faults say so. */
export function sendFile(call: Call, file: string, type = "application/octet-stream"): void {
  const { request, response, path, faults } = call;
  const { size } = statSync(file);
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const start = Number(range?.[1] ?? 0);
  const end = range?.[2] ? Number(range[2]) : size - 1;
  const length = end - start + 1;
  const partial = { "content-range": `bytes ${String(start)}-${String(end)}/${String(size)}` };
  response.writeHead(range === null ? 200 : 206, {
    "content-type": type,
    "content-length": length,
    "accept-ranges": "bytes",
    ...(range === null ? {} : partial),
  });
  if (request.method === "HEAD") {
    response.end();
    return;
  }
  if (faults.corrupted !== undefined && path.includes(faults.corrupted)) {
    const content = readFileSync(file).subarray(start, end + 1);
    content[content.length - 1] = (content.at(-1) ?? 0) ^ 1;
    response.end(content);
    return;
  }
  const cutAfter =
    faults.cut !== undefined && path.includes(faults.cut.path) ? faults.cut.afterBytes : length;
  const rate = faults.slow !== undefined && path.includes(faults.slow.path) ? faults.slow.bytesPerSecond : 0;
  void pump(response, createReadStream(file, { start, end, highWaterMark: 1 << 16 }), cutAfter, rate);
}

async function pump(
  response: ServerResponse,
  stream: AsyncIterable<Buffer>,
  cutAfter: number,
  rate: number,
): Promise<void> {
  let sent = 0;
  for await (const piece of stream) {
    if (response.destroyed) return;
    sent += piece.length;
    if (sent > cutAfter) {
      response.write(piece.subarray(0, Math.max(0, piece.length - (sent - cutAfter))));
      // What was written is to arrive before the connection ends.
      await sleep(50);
      response.destroy();
      return;
    }
    if (!response.write(piece)) await drained(response);
    if (rate > 0) await sleep((piece.length / rate) * 1000);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<unknown> {
  return new Promise((resolve) => {
    response.once("drain", resolve);
    response.once("close", resolve);
  });
}
