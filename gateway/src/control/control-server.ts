import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { FastifyBaseLogger } from "fastify";
import { type Drains, UnknownServer } from "../scheduling/drain-controller.ts";

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
  const say = (line: string) => response.write(`${line}\n`);
  try {
    const { pathname, searchParams } = new URL(url, "http://control");
    const [, what, server] = pathname.split("/").map(decodeURIComponent);
    const seconds = Number(searchParams.get("seconds"));
    if (!Number.isFinite(seconds) || seconds < 0) throw new ControlError("SECONDS has to be a number");
    const timeoutMs = seconds * 1000;
    logger.info({ control: what, server, timeout_ms: timeoutMs }, "asked");
    if (method === "POST" && what === "drain" && server === undefined) await drains.leave(timeoutMs, say);
    else if (method === "POST" && what === "drain") await drains.spare(server ?? "", timeoutMs, say);
    else if (method === "POST" && what === "return") await drains.comeBack(server ?? "");
    else throw new ControlError("known are: drain SECONDS, drain HOST:PORT SECONDS, return HOST:PORT");
  } catch (error) {
    const wrong = error instanceof UnknownServer || error instanceof ControlError;
    if (!wrong) logger.error({ error: String(error) }, "control failed");
    if (!response.headersSent) response.statusCode = wrong ? 400 : 500;
    say(error instanceof Error ? error.message : String(error));
  }
  response.end();
}

/** What was asked cannot be done; the message says why. */
class ControlError extends Error {
  override readonly name = "ControlError";
}
