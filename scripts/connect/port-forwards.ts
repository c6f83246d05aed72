import { edgeModes, edgePort, hasTls } from "../../components/config/edge-modes.ts";
import type { TunnelTarget } from "../../engine/tunnel/tunnel.ts";
import type { StackOutputs } from "../stack/outputs.ts";
import { portOf } from "../stack/url-port.ts";

type Outputs = Pick<StackOutputs, "gatewayUrl" | "ollamaUrl" | "prometheusUrl" | "edge">;

/** A service of a stack, forwarded to a loopback port of this machine. */
export interface Forwarded {
  readonly name: "gateway" | "ollama" | "prometheus";
  /** "host:port" in the stack's network. */
  readonly target: string;
  /** The port at which it is published on the engine's host. */
  readonly port: number;
  /** Its URL on this machine, for messages. */
  readonly url: string;
}

/** The services that `npm run forward` forwards: what clients use, so the edge if there is one. */
export function forwarded(
  { gatewayUrl, ollamaUrl, prometheusUrl, edge }: Outputs,
  end: TunnelTarget & { readonly gateway?: string | undefined; readonly ollama: string },
): Forwarded[] {
  const ollama = { ...plain(ollamaUrl), name: "ollama", target: end.ollama } as const;
  if (end.gateway === undefined) return [ollama];
  const others: Forwarded[] =
    prometheusUrl === undefined
      ? [ollama]
      : [ollama, { ...plain(prometheusUrl), name: "prometheus", target: "prometheus:9090" }];
  const mode = edgeModes.find((each) => each === edge?.mode);
  if (edge === undefined || mode === undefined)
    return [{ ...plain(gatewayUrl), name: "gateway", target: end.gateway }, ...others];
  const target = `${edge.container}:${String(edgePort(mode))}`;
  return [{ ...(hasTls(mode) ? named(gatewayUrl) : plain(gatewayUrl)), name: "gateway", target }, ...others];
}

function plain(url: string): Pick<Forwarded, "port" | "url"> {
  const port = portOf(url);
  return { port, url: `http://127.0.0.1:${String(port)}` };
}

/** An edge with TLS serves only its own host names, which must resolve to this machine. */
function named(url: string): Pick<Forwarded, "port" | "url"> {
  const there = new URL(url);
  const port = portOf(url);
  const leadsHere = there.hostname === "localhost" || there.hostname === "127.0.0.1";
  const hint = leadsHere ? "" : ` (curl --resolve ${there.hostname}:${String(port)}:127.0.0.1)`;
  return { port, url: `${there.origin}${hint}` };
}
