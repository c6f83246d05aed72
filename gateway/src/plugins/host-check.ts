import type { FastifyInstance, FastifyRequest } from "fastify";
import { ApiError } from "../errors.ts";
import { KnownHosts } from "../lib/network/known-hosts.ts";

// Names that lead to the machine the client is on, or to the host of the container it is in, wherever it asks.
const ALWAYS_KNOWN = [
  ".localhost",
  "host.docker.internal",
  "gateway.docker.internal",
  "host.containers.internal",
];

const ABSOLUTE_TARGET = /^[a-z]+:\/\/([^/?#]*)/i;

const SHOWN_LENGTH = 100;

interface HostCheckOptions {
  /** What the machine is called and where the gateway listens. */
  readonly ownHosts: readonly string[];
  /** Further hosts that the gateway answers for, as `parseKnownHost` returns them. */
  readonly allowedHosts: readonly string[];
  /** Whether clients have to present a key. */
  readonly needsKey: () => boolean;
}

/**
 * Refuses requests for a host that the gateway does not know: a web page can have its own name resolve to this machine,
 * and would then be let in by a gateway that lets everybody in. A page knows no key, so where keys are needed the check
 * applies only if hosts are configured.
 */
export function checkHost(
  app: FastifyInstance,
  { ownHosts, allowedHosts, needsKey }: HostCheckOptions,
): void {
  const own = ownHosts.map((host) => host.toLowerCase());
  const known = new KnownHosts([...ALWAYS_KNOWN, ...own, ...allowedHosts]);
  // Most requests come for the same host.
  let latest: string | undefined;
  app.addHook("onRequest", (request, _reply, done) => {
    const host = hostOf(request);
    // Without one it is no browser: those always send it.
    if (host === undefined || host === latest) {
      done();
      return;
    }
    if (known.has(host)) {
      latest = host;
      done();
      return;
    }
    done(allowedHosts.length === 0 && needsKey() ? undefined : misdirected(host));
  });
}

/** The host that a request is for: a target in absolute form (RFC 9112) takes precedence over the header. */
function hostOf({ raw: { url = "", headers } }: FastifyRequest): string | undefined {
  return url.startsWith("/") ? headers.host : (ABSOLUTE_TARGET.exec(url)?.[1] ?? headers.host);
}

function misdirected(host: string): ApiError {
  const shown = host.length > SHOWN_LENGTH ? `${host.slice(0, SHOWN_LENGTH)}...` : host;
  return new ApiError("host_not_allowed", {
    message:
      `The gateway does not answer for the host '${shown}'. If the name is yours, add it to ALLOWED_HOSTS ` +
      "(gatewayAllowedHosts in a stack), or use an IP address.",
  });
}
