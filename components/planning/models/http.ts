import type { IncomingHttpHeaders } from "node:http";
import { request as secure } from "node:https";
import type { LookupFunction } from "node:net";
import { findProxies } from "../../../host/proxy.ts";
import { fetchOutbound } from "../../../host/outbound-fetch.ts";
import { withSystemTrust } from "../../../host/system-trust.ts";

// What the program asks itself. Node's own client is loaded already, by Pulumi's SDK; a second one would take longer to
// load than all of the answers do to come. Imported like others, it would bring a fetch, which takes as long.
const { request: plain } = process.getBuiltinModule("node:http");

export interface Asked {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds for the complete response. */
  readonly withinMs: number;
  /** How host names are resolved, if not by the system. */
  readonly lookup?: LookupFunction;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Pick<IncomingHttpHeaders, "content-length">;
  readonly text: string;
}

/**
 * Goes through the machine's proxy if it has one, unless the host's name is resolved in a way of its own: such a host is
 * in the machine's own network. Throws what Node.js says of a connection, with its code, or a TimeoutError.
 */
export async function askHttp(url: string, asked: Asked): Promise<HttpAnswer> {
  if (asked.lookup === undefined && findProxies() !== undefined) return await askThroughProxy(url, asked);
  return await withSystemTrust(() => askDirectly(url, asked));
}

async function askThroughProxy(
  url: string,
  { method = "GET", headers = {}, withinMs }: Asked,
): Promise<HttpAnswer> {
  const signal = AbortSignal.timeout(withinMs);
  try {
    const response = await fetchOutbound(url, { method, headers, signal });
    const size = response.headers.get("content-length");
    return {
      status: response.status,
      headers: size === null ? {} : { "content-length": size },
      text: await response.text(),
    };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw error instanceof Error && error.cause instanceof Error ? error.cause : error;
  }
}

function askDirectly(
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
