import type { Ready } from "./service-container.ts";

/** Settings for draining a container before it is replaced. */
export interface Drain {
  /** Containers of the gateways, which track requests in flight. */
  readonly gateways: readonly string[];
  /** Container of the edge. If it is not running, there are no clients and draining is skipped. */
  readonly edge: string;
  /** Seconds that requests in flight may still take. */
  readonly timeoutSeconds: number;
}

const script = "node components/commands/drain.ts";

/** Drains a gateway before it is replaced, while the edge sends requests to the others. */
export function drainedGateway(ready: Ready, { edge, timeoutSeconds }: Drain): Ready {
  const environment = { DRAIN_EDGE: edge, DRAIN_TIMEOUT_SECONDS: String(timeoutSeconds) };
  return { ...ready, delete: script, environment: { ...ready.environment, ...environment } };
}

/**
 * Drains an Ollama server before it is replaced. Every gateway sends requests to the other servers until this one is ready
 * again.
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
