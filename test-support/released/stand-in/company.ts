import { type Call, sendJson } from "./respond.ts";
import { companyHosts } from "./settings.ts";

/** An OpenTelemetry collector that accepts spans and discards them. */
export function telemetry(call: Call): void {
  call.request.resume().once("end", () => {
    sendJson(call, 200, {});
  });
}

/** An ACME authority that has a directory but issues no certificates. */
export function acmeDirectory(call: Call): void {
  const url = (path: string) => `https://${companyHosts.acme}/${path}`;
  if (call.path === "/directory")
    sendJson(call, 200, { newNonce: url("nonce"), newAccount: url("account"), newOrder: url("order") });
  else sendJson(call, 503, { type: "urn:ietf:params:acme:error:serverInternal", detail: "not today" });
}
