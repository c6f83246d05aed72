import type { IncomingHttpHeaders } from "node:http";
import { request as secure } from "node:https";
import type { LookupFunction } from "node:net";

// What the program asks itself. Node's own client is loaded already, by Pulumi's SDK; a second one would take longer to
// load than all of the answers do to come. Imported like others, it would bring a fetch, which takes as long.
const { request: plain } = process.getBuiltinModule("node:http");

export interface Asked {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds for the whole answer. */
  readonly withinMs: number;
  /** How host names are resolved, if not by the system. */
  readonly lookup?: LookupFunction;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** Throws what Node.js says of a connection, with its code, or a TimeoutError. */
export function askHttp(
  url: string,
  { method = "GET", headers = {}, withinMs, lookup }: Asked,
): Promise<HttpAnswer> {
  const signal = AbortSignal.timeout(withinMs);
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      reject(signal.aborted ? (signal.reason as Error) : error);
    };
    const call = (url.startsWith("https:") ? secure : plain)(
      url,
      // A connection of its own, so that none is left.
      { method, headers, signal, agent: false, ...(lookup === undefined ? {} : { lookup }) },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
        response.once("error", fail);
        response.once("end", () => {
          resolve({ status: response.statusCode ?? 0, headers: response.headers, text });
        });
      },
    );
    call.once("error", fail).end();
  });
}
