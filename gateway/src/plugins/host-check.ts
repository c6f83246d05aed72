import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import { KnownHosts } from "../lib/network/known-hosts.ts";
import { shorten } from "./quoted-input.ts";

// Names of the client's machine, or of the host of its container.
const ALWAYS_KNOWN = [
  ".localhost",
  "host.docker.internal",
  "gateway.docker.internal",
  "host.containers.internal",
];

const ABSOLUTE_TARGET = /^[a-z]+:\/\/([^/?#]*)/i;

interface HostCheckOptions {
  /** Host name of the machine, and the address that the gateway listens on. */
  readonly ownHosts: readonly string[];
  /** Additional hosts, as `parseKnownHost` returns them. */
  readonly allowedHosts: readonly string[];
  /** Whether clients must present a key. */
  readonly needsKey: () => boolean;
}

/**
 * Rejects requests for unknown hosts. Prevents DNS rebinding: a web page can have its own name resolve to this machine,
 * and would be admitted by a gateway without keys. Pages do not know keys, so if keys are required the check applies
 * only to configured hosts.
 */
export function checkHost(
  app: FastifyInstance,
  { ownHosts, allowedHosts, needsKey }: HostCheckOptions,
): void {
  const own = ownHosts.map((host) => host.toLowerCase());
  const known = new KnownHosts([...ALWAYS_KNOWN, ...own, ...allowedHosts]);
  app.addHook("onRequest", (request, _reply, done) => {
    const host = hostOf(request);
    // Browsers always send a host.
    if (host === undefined || known.has(host) || (allowedHosts.length === 0 && needsKey())) done();
    else done(misdirected(host));
  });
}

/** The host of a request: an absolute-form target (RFC 9112) takes precedence over the header. */
function hostOf({ raw: { url = "", headers } }: FastifyRequest): string | undefined {
  return url.startsWith("/") ? headers.host : (ABSOLUTE_TARGET.exec(url)?.[1] ?? headers.host);
}

function misdirected(host: string): ApiError {
  return new ApiError("host_not_allowed", {
    message:
      `The gateway does not serve the host '${shorten(host)}'. If the name is yours, add it to ALLOWED_HOSTS ` +
      "(gatewayAllowedHosts in a stack), or use an IP address.",
  });
}
