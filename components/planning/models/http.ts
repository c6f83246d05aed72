import type { IncomingHttpHeaders } from "node:http";
import { request as secure } from "node:https";
import type { LookupFunction } from "node:net";
import { findProxies } from "../../../host/proxy.ts";
import { fetchOutbound } from "../../../host/outbound-fetch.ts";
import { withSystemTrust } from "../../../host/system-trust.ts";

// Requests of the Pulumi program. Pulumi's SDK has already loaded node:http; loading another client would take longer than
// all the requests. An import statement would load fetch too, which takes as long.
const { request: plain } = process.getBuiltinModule("node:http");

export interface RequestOptions {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds for the complete response. */
  readonly withinMs: number;
  /** How host names are resolved, if not by the system. */
  readonly lookup?: LookupFunction;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Pick<IncomingHttpHeaders, "content-length">;
  readonly text: string;
}

/**
 * Sends a request, through the machine's proxy if it has one; not with a custom `lookup`, whose hosts are in the local
 * network. Throws Node.js' connection error with its code, or a TimeoutError.
 */
export async function httpRequest(url: string, options: RequestOptions): Promise<HttpResponse> {
  if (options.lookup === undefined && findProxies() !== undefined)
    return await requestThroughProxy(url, options);
  return await withSystemTrust(() => requestDirectly(url, options));
}

async function requestThroughProxy(
  url: string,
  { method = "GET", headers = {}, withinMs }: RequestOptions,
): Promise<HttpResponse> {
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

function requestDirectly(
  url: string,
  { method = "GET", headers = {}, withinMs, lookup }: RequestOptions,
): Promise<HttpResponse> {
  const signal = AbortSignal.timeout(withinMs);
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      reject(signal.aborted ? (signal.reason as Error) : error);
    };
    const call = (url.startsWith("https:") ? secure : plain)(
      url,
      // Leaves no connection open.
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
