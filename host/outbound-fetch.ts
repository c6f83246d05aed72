import { findProxies, type ProxySettings } from "./proxy.ts";
import { isUntrusted, withSystemTrust } from "./system-trust.ts";

interface OutboundRequest {
  readonly method?: "GET" | "HEAD";
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal | undefined;
}

/** The part of a response that Node's and undici's fetch have in common. */
export interface OutboundResponse {
  readonly ok: boolean;
  readonly status: number;
  readonly statusText: string;
  readonly headers: { get(name: string): string | null };
  readonly body: AsyncIterable<Uint8Array> | null;
  text(): Promise<string>;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/**
 * Fetches from the internet, through the machine's proxy if it has one. Not for the stack's own services, which are never
 * behind a proxy.
 */
export async function fetchOutbound(
  url: string,
  { method = "GET", headers = {}, signal }: OutboundRequest = {},
): Promise<OutboundResponse> {
  const proxies = findProxies();
  const init = { method, headers, ...(signal === undefined ? {} : { signal }) };
  return await withSystemTrust<OutboundResponse>(() =>
    proxies === undefined ? fetch(url, init) : fetchThrough(proxies, url, init),
  );
}

async function fetchThrough(
  { http, https, direct }: ProxySettings,
  url: string,
  init: Omit<OutboundRequest, "signal"> & { readonly signal?: AbortSignal },
): Promise<OutboundResponse> {
  // Loaded only with a proxy, because loading it takes longer than most requests.
  const undici = await import("undici");
  // Sets all options, because undici would read missing ones from the environment.
  const dispatcher = new undici.EnvHttpProxyAgent({ httpProxy: http, httpsProxy: https, noProxy: direct });
  return await undici.fetch(url, { ...init, dispatcher });
}

/** Why a request got no response: the connection's error without the messages that wrap it. */
export function connectionFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (cause instanceof Error) return connectionFailure(cause);
  const message = error.message.split("\n")[0] ?? "";
  return isUntrusted(error)
    ? `${message}: if a proxy inspects TLS here, set trustedCertificates to its authority (docs/proxies.md)`
    : message;
}
