import type { Ready } from "./service-container.ts";

/** How a proxy is notified that a container behind it is about to be replaced. */
export interface Drain {
  /** Containers of the gateways, which know what is under way. */
  readonly gateways: readonly string[];
  /** Container of the edge; when it is not running, nobody is served and nothing is waited for. */
  readonly edge: string;
  /** Seconds that requests may still take. */
  readonly timeoutSeconds: number;
}

const script = "node components/commands/drain.ts";

/** A gateway that is drained before it is replaced: the edge sends requests to the others. */
export function drainedGateway(ready: Ready, { edge, timeoutSeconds }: Drain): Ready {
  const environment = { DRAIN_EDGE: edge, DRAIN_TIMEOUT_SECONDS: String(timeoutSeconds) };
  return { ...ready, delete: script, environment: { ...ready.environment, ...environment } };
}

/**
 * An Ollama server that is drained before it is replaced: every gateway sends requests to the other servers, and to this
 * one again when it is ready.
 *
 * @param server "host:port", as the gateways know it
 */
export function drainedServer(
  ready: Ready,
  server: string,
  { gateways, edge, timeoutSeconds }: Drain,
): Ready {
  const environment = {
    DRAIN_SERVER: server,
    DRAIN_GATEWAYS: gateways.join(","),
    DRAIN_EDGE: edge,
    DRAIN_TIMEOUT_SECONDS: String(timeoutSeconds),
  };
  return { ...ready, delete: script, environment: { ...ready.environment, ...environment } };
}
