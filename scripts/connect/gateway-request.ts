import { request as secure } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { TLSSocket } from "node:tls";
import { networkError } from "./network-error.ts";

// An import statement would load fetch too.
const { request: plain } = process.getBuiltinModule("node:http");

/** How this machine reaches a gateway. */
export interface GatewayAddress {
  readonly gatewayUrl: string;
  /** The published address, because its host name may resolve elsewhere from here, or not yet. */
  readonly address?: string | undefined;
  readonly apiKey?: string | undefined;
}

export interface GatewayResponse {
  readonly status: number;
  readonly text: string;
  /** Why this machine does not trust the server's certificate, if it does not. */
  readonly untrusted?: string | undefined;
}

/** Sends a request to a gateway: a POST if there is a body. */
export function requestGateway(
  { gatewayUrl, address, apiKey }: GatewayAddress,
  path: string,
  { withinMs, body }: { readonly withinMs: number; readonly body?: string },
): Promise<GatewayResponse> {
  const url = new URL(path, gatewayUrl);
  const headers = {
    ...(body === undefined
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
    ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
  };
  const lookup = address === undefined ? {} : { lookup: always(address) };
  const method = body === undefined ? "GET" : "POST";
  const options = { method, headers, agent: false, signal: AbortSignal.timeout(withinMs), ...lookup };
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      reject(networkError(url, error));
    };
    const call = (url.protocol === "https:" ? secure : plain)(
      url,
      // Does not verify the certificate, because only clients may trust its authority.
      { ...options, rejectUnauthorized: false },
      (response) => {
        const { authorized, authorizationError } = response.socket as Partial<TLSSocket>;
        const untrusted = authorized === false ? String(authorizationError) : undefined;
        let text = "";
        response.setEncoding("utf8").on("data", (piece: string) => (text += piece));
        response.once("error", fail);
        response.once("end", () => {
          resolve({ status: response.statusCode ?? 0, text, untrusted });
        });
      },
    );
    call.once("error", fail).end(body);
  });
}

/** Resolves every name to an address. */
function always(address: string): LookupFunction {
  const family = isIP(address);
  return (_name, options, callback) => {
    if (options.all === true) callback(null, [{ address, family }]);
    else callback(null, address, family);
  };
}

/** The address at which the host itself reaches a published port. */
export function reachableAddress(bindAddress: string): string {
  return bindAddress === "0.0.0.0" ? "127.0.0.1" : bindAddress === "::" ? "::1" : bindAddress;
}
