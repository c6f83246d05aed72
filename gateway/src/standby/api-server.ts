import { readFile } from "node:fs/promises";
import { type IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { join } from "node:path";
import type * as z from "zod";

const OK = 200;
const CREATED = 201;
const NOT_FOUND = 404;
const CONFLICT = 409;

const MAX_BYTES = 1024 * 1024;

interface ApiServerOptions {
  readonly host: string;
  readonly port: number;
  /** Folder with `token` and `ca.crt` of the pod's service account. */
  readonly accountFolder: string;
  readonly timeoutMs: number;
}

interface ApiResponse {
  readonly status: number;
  readonly body: unknown;
}

/**
 * Client of the cluster's API server, with the pod's service account. Uses Node's HTTP client, as there are at most two
 * requests per second.
 */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 });

  constructor(options: ApiServerOptions) {
    this.#options = options;
  }

  /**
   * @param what describes the action in errors
   * @returns the object; undefined if it does not exist
   * @throws Error if the API server does not respond or refuses
   */
  async read<T>(path: string, schema: z.ZodType<T>, what: string): Promise<T | undefined> {
    const response = await this.#send("GET", path);
    if (response.status === NOT_FOUND) return undefined;
    if (response.status !== OK) throw unexpectedStatus(what, response);
    return schema.parse(response.body);
  }

  /**
   * @param what describes the action in errors
   * @returns false if the object was modified or deleted concurrently
   * @throws Error if the API server does not respond or refuses
   */
  async write(method: "POST" | "PUT", path: string, body: object, what: string): Promise<boolean> {
    const response = await this.#send(method, path, body);
    if (response.status === CONFLICT || response.status === NOT_FOUND) return false;
    if (response.status !== OK && response.status !== CREATED) throw unexpectedStatus(what, response);
    return true;
  }

  /** @throws Error if there is no response in time, or it is too large */
  async #send(method: "GET" | "POST" | "PUT", path: string, body?: object): Promise<ApiResponse> {
    const { host, port, accountFolder, timeoutMs } = this.#options;
    // The kubelet replaces the token before it expires, and the certificate when the cluster's changes.
    const [token, ca] = await Promise.all(
      ["token", "ca.crt"].map((name) => readFile(join(accountFolder, name), "utf8")),
    );
    const text = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host,
          port,
          path,
          method,
          ca,
          agent: this.#agent,
          headers: {
            accept: "application/json",
            authorization: `Bearer ${(token ?? "").trim()}`,
            ...(text === undefined
              ? {}
              : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
          },
        },
        (response) => {
          resolve(readJson(response).then((value) => ({ status: response.statusCode ?? 0, body: value })));
        },
      );
      const timer = setTimeout(
        () => outgoing.destroy(new Error(`no response within ${timeoutMs} ms`)),
        timeoutMs,
      ).unref();
      outgoing.on("error", reject);
      outgoing.once("close", () => {
        clearTimeout(timer);
      });
      outgoing.end(text);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function readJson(response: IncomingMessage): Promise<unknown> {
  let text = "";
  response.setEncoding("utf8");
  for await (const piece of response) {
    text += String(piece);
    if (text.length > MAX_BYTES) throw new Error(`the response is longer than ${MAX_BYTES} characters`);
  }
  try {
    return JSON.parse(text);
  } catch {
    // A proxy may send its own pages; the status is enough.
    return undefined;
  }
}

/** Builds the error for an unexpected status. The server's messages contain no secrets. */
function unexpectedStatus(what: string, { status, body }: ApiResponse): Error {
  const { message } = (body ?? {}) as { readonly message?: unknown };
  const details = typeof message === "string" ? `: ${message.slice(0, 500)}` : "";
  return new Error(`${what} failed with status ${status}${details}`);
}
