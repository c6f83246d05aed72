import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { FastifyBaseLogger } from "fastify";
import { type DrainController, UnknownBackendError } from "../scheduling/drain-controller.ts";

/**
 * Answers on a Unix socket what only those may ask who may run commands in the gateway's container: `POST /drain`,
 * `POST /drain/HOST:PORT`, `POST /return/HOST:PORT`, `POST /reload-keys`, `POST /usage/MONTH`. The answer is text, written
 * while it happens.
 */
export function listenForControl(path: string, controlled: Controlled, log: ControlLog): Server {
  rmSync(path, { force: true });
  const server = createServer((request, response) => {
    void answer(controlled, log, request, response);
  });
  server.on("error", (error) => {
    log.logger.error({ control_socket: path, error: String(error) }, "cannot listen for control");
  });
  return server.listen(path);
}

interface ControlLog {
  readonly logger: FastifyBaseLogger;
  audit(act: { readonly act: string; readonly target: string; readonly timeout_ms: number }): void;
}

/** What is controlled. */
export interface Controlled {
  readonly drainController: DrainController;
  readonly keys: {
    /** Reads the keys' file at once, and returns what is in force then. @throws Error when it cannot be read */
    reload(): Promise<readonly string[]>;
  };
  /** @throws RangeError when there is no such month */
  readonly usage: {
    ownRows(month: string): Promise<readonly object[]>;
    othersRows(month: string): Promise<readonly object[]>;
  };
}

async function answer(
  { drainController, keys, usage }: Controlled,
  log: ControlLog,
  { method, url = "" }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const say = (line: string) => response.write(`${line}\n`);
  try {
    const { pathname, searchParams } = new URL(url, "http://control");
    const [, what, server] = pathname.split("/").map(decodeURIComponent);
    const timeoutMs = millisecondsOf(searchParams.get("seconds") ?? "0");
    const noticeMs = searchParams.has("notice") ? millisecondsOf(searchParams.get("notice")) : undefined;
    const act = method === "POST" ? what : undefined;
    if (act === "drain" || act === "return") {
      log.audit({ act, target: server ?? "this gateway", timeout_ms: timeoutMs });
    }
    if (act === "drain" && server === undefined) await drainController.drainSelf(timeoutMs, say, noticeMs);
    else if (act === "drain") await drainController.cordon(server ?? "", timeoutMs, say);
    else if (act === "return") await drainController.uncordon(server ?? "");
    // What has changed is audited by whoever notices it first.
    else if (act === "reload-keys") for (const label of await reloaded(keys)) say(label);
    else if (act === "usage") say(await usageOf(usage, server ?? ""));
    else {
      throw new ControlError(
        "known are: drain SECONDS NOTICE_SECONDS, drain HOST:PORT SECONDS, return HOST:PORT, reload-keys, usage MONTH",
      );
    }
  } catch (error) {
    const wrong = error instanceof UnknownBackendError || error instanceof ControlError;
    if (!wrong) log.logger.error({ error: String(error) }, "control failed");
    if (!response.headersSent) response.statusCode = wrong ? 400 : 500;
    say(error instanceof Error ? error.message : String(error));
  }
  response.end();
}

async function reloaded(keys: Controlled["keys"]): Promise<readonly string[]> {
  try {
    return await keys.reload();
  } catch (error) {
    throw new ControlError(error instanceof Error ? error.message : String(error));
  }
}

/** As JSON: what this gateway has counted in a month, and what its replicas wrote last. */
async function usageOf(usage: Controlled["usage"], month: string): Promise<string> {
  try {
    return JSON.stringify({ own: await usage.ownRows(month), others: await usage.othersRows(month) });
  } catch (error) {
    if (error instanceof RangeError) throw new ControlError(error.message);
    throw error;
  }
}

/** The request cannot be fulfilled; the message says why. */
class ControlError extends Error {
  override readonly name = "ControlError";
}

function millisecondsOf(text: string | null): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < 0) throw new ControlError("SECONDS has to be a number");
  return seconds * 1000;
}
