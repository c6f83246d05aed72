import { rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { FastifyBaseLogger } from "fastify";
import { type DrainController, UnknownBackendError } from "../scheduling/drain-controller.ts";

/**
 * Serves control requests on a Unix socket, for those who may run commands in the gateway's container: `POST /drain`,
 * `POST /drain/HOST:PORT`, `POST /return`, `POST /return/HOST:PORT`, `POST /drained`, `POST /reload-keys`, `POST /usage/MONTH`.
 * Responses are text, streamed as progress is made.
 */
export function startControlServer(path: string, controlled: ControlTargets, log: ControlLog): Server {
  rmSync(path, { force: true });
  const server = createServer((request, response) => {
    void handle(controlled, log, request, response);
  });
  server.on("error", (error) => {
    log.logger.error({ control_socket: path, error: String(error) }, "cannot listen on the control socket");
  });
  return server.listen(path);
}

interface ControlLog {
  readonly logger: FastifyBaseLogger;
  audit(act: { readonly act: string; readonly target: string; readonly timeout_ms: number }): void;
}

/** What the control requests act on. */
interface ControlTargets {
  readonly drainController: DrainController;
  readonly keys: {
    /**
     * Reads the key file immediately and returns the keys in effect.
     *
     * @throws Error if it cannot be read
     */
    reload(): Promise<readonly string[]>;
  };
  /** @throws RangeError for an invalid month */
  readonly usage: {
    ownRows(month: string): Promise<readonly object[]>;
    othersRows(month: string): Promise<readonly object[]>;
  };
}

async function handle(
  { drainController, keys, usage }: ControlTargets,
  log: ControlLog,
  { method, url = "" }: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const writeLine = (line: string) => response.write(`${line}\n`);
  try {
    const { pathname, searchParams } = new URL(url, "http://control");
    const [, action, server] = pathname.split("/").map(decodeURIComponent);
    const timeoutMs = millisecondsOf(searchParams.get("seconds") ?? "0");
    const noticeMs = searchParams.has("notice") ? millisecondsOf(searchParams.get("notice")) : undefined;
    const act = method === "POST" ? action : undefined;
    if (act === "drain" || act === "return") {
      log.audit({ act, target: server ?? "this gateway", timeout_ms: timeoutMs });
    }
    if (act === "drain" && server === undefined)
      await drainController.drainSelf(timeoutMs, writeLine, noticeMs);
    else if (act === "drain") await drainController.cordon(server ?? "", timeoutMs, writeLine);
    else if (act === "return" && server === undefined) drainController.returnSelf();
    else if (act === "return") await drainController.uncordon(server ?? "");
    else if (act === "drained") for (const name of drainController.drained()) writeLine(name);
    // Key changes are audited by their observer.
    else if (act === "reload-keys") for (const label of await reloadKeys(keys)) writeLine(label);
    else if (act === "usage") writeLine(await usageOf(usage, server ?? ""));
    else {
      throw new ControlError(
        "known are: drain SECONDS NOTICE_SECONDS, drain HOST:PORT SECONDS, return, return HOST:PORT, drained, reload-keys, usage MONTH",
      );
    }
  } catch (error) {
    const isClientError = error instanceof UnknownBackendError || error instanceof ControlError;
    if (!isClientError) log.logger.error({ error: String(error) }, "control request failed");
    if (!response.headersSent) response.statusCode = isClientError ? 400 : 500;
    writeLine(error instanceof Error ? error.message : String(error));
  }
  response.end();
}

async function reloadKeys(keys: ControlTargets["keys"]): Promise<readonly string[]> {
  try {
    return await keys.reload();
  } catch (error) {
    throw new ControlError(error instanceof Error ? error.message : String(error));
  }
}

/** Usage of a month as JSON: of this gateway, and of its replicas as last written. */
async function usageOf(usage: ControlTargets["usage"], month: string): Promise<string> {
  try {
    return JSON.stringify({ own: await usage.ownRows(month), others: await usage.othersRows(month) });
  } catch (error) {
    if (error instanceof RangeError) throw new ControlError(error.message);
    throw error;
  }
}

/** An invalid control request. */
class ControlError extends Error {
  override readonly name = "ControlError";
}

function millisecondsOf(text: string | null): number {
  const seconds = Number(text);
  if (!Number.isFinite(seconds) || seconds < 0) throw new ControlError("SECONDS must be a number");
  return seconds * 1000;
}
