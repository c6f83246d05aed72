import { readFile } from "node:fs/promises";
import { type IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { join } from "node:path";

const MOST_BYTES = 1024 * 1024;

export interface ApiServerOptions {
  readonly host: string;
  readonly port: number;
  /** Folder with the `token` and the `ca.crt` of the pod's service account. */
  readonly accountFolder: string;
  readonly timeoutMs: number;
}

export interface ApiResponse {
  readonly status: number;
  readonly body: unknown;
}

/** The cluster's API server, as the pod's service account reaches it. Node's own client: there are two requests a second at most. */
export class ApiServer {
  readonly #options: ApiServerOptions;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 2 });

  constructor(options: ApiServerOptions) {
    this.#options = options;
  }

  /** @throws Error when there is no response in time, or none that is JSON of a bounded size */
  async send(method: "GET" | "POST" | "PUT", path: string, body?: object): Promise<ApiResponse> {
    const { host, port, accountFolder, timeoutMs } = this.#options;
    // The kubelet replaces the token before it expires, and the certificate when the cluster's changes.
    const [token, ca] = await Promise.all(
      ["token", "ca.crt"].map((name) => readFile(join(accountFolder, name), "utf8")),
    );
    const text = body === undefined ? undefined : JSON.stringify(body);
    return new Promise((resolve, reject) => {
      const sent = request(
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
        () => sent.destroy(new Error(`no response within ${timeoutMs} ms`)),
        timeoutMs,
      ).unref();
      sent.on("error", reject);
      sent.once("close", () => {
        clearTimeout(timer);
      });
      sent.end(text);
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
    if (text.length > MOST_BYTES) throw new Error(`the response is longer than ${MOST_BYTES} characters`);
  }
  try {
    return JSON.parse(text);
  } catch {
    // A proxy on the way has pages of its own; the status says enough.
    return undefined;
  }
}

/** A status that nobody expects. The server's own message names no secrets. */
export function unexpected(what: string, { status, body }: ApiResponse): Error {
  const { message } = (body ?? {}) as { readonly message?: unknown };
  const why = typeof message === "string" ? `: ${message.slice(0, 500)}` : "";
  return new Error(`${what} failed with status ${status}${why}`);
}
