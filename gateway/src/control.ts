import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { FastifyBaseLogger } from "fastify";
import { type Drains, UnknownServer } from "./drains.ts";

/**
 * Answers on a Unix socket what only those may ask who may run commands in the gateway's container: `POST /drain`,
 * `POST /drain/HOST:PORT`, `POST /return/HOST:PORT`. The answer is text, written while it happens.
 */
export function listenForControl(path: string, drains: Drains, logger: FastifyBaseLogger): Server {
  rmSync(path, { force: true });
  const server = createServer((request, response) => {
    void answer(drains, logger, request, response);
  });
  server.on("error", (error) => {
    logger.error({ control_socket: path, error: String(error) }, "cannot listen for control");
  });
  return server.listen(path);
}

async function answer(
  drains: Drains,
  logger: FastifyBaseLogger,
  { method, url = "" }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { pathname, searchParams } = new URL(url, "http://control");
  const [, what, server] = pathname.split("/").map(decodeURIComponent);
  const timeoutMs = Number(searchParams.get("seconds") ?? "0") * 1000;
  const say = (line: string) => response.write(`${line}\n`);
  try {
    logger.info({ control: what, server, timeout_ms: timeoutMs }, "asked");
    if (method === "POST" && what === "drain" && server === undefined) await drains.leave(timeoutMs, say);
    else if (method === "POST" && what === "drain") await drains.spare(server ?? "", timeoutMs, say);
    else if (method === "POST" && what === "return") await drains.comeBack(server ?? "");
    else response.statusCode = 404;
  } catch (error) {
    if (!(error instanceof UnknownServer)) logger.error({ error: String(error) }, "control failed");
    if (!response.headersSent) response.statusCode = error instanceof UnknownServer ? 404 : 500;
    say(error instanceof Error ? error.message : String(error));
  }
  response.end();
}
