import { readConfig } from "../../../gateway/src/config/config.ts";
import { hasStandbys } from "../../config/kubernetes/gateway-count.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { parseReference, sourceKind } from "../../config/models/model-source.ts";

// Who reaches which pod, and what each pod reaches. They count where the cluster's network enforces policies.

const secure = 443;
// No selector finds the API server, whose port is one of these with most distributions.
const apiServerPorts = [secure, 6443];

/** Names are looked up in the cluster, or at an address of the node. */
const lookups = { ports: [53].flatMap((port) => ["UDP", "TCP"].map((protocol) => ({ protocol, port }))) };

/** Anywhere but at the addresses of a node itself, where clouds hand out its credentials. */
const anywhere = [
  { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } },
  { ipBlock: { cidr: "::/0", except: ["fe80::/10"] } },
  { namespaceSelector: {} },
];

/** Only the gateway reaches Ollama, and Ollama only what models are pulled from. */
export function ollamaPolicy(config: ParsedConfig, port: number) {
  return {
    podSelector: { matchLabels: { app: "ollama" } },
    policyTypes: ["Ingress", "Egress"],
    ingress: [
      { from: [{ podSelector: { matchLabels: { app: "gateway" } } }], ports: [{ protocol: "TCP", port }] },
    ],
    egress: [lookups, { to: anywhere, ports: tcp(pullPorts(config)) }],
  };
}

/** Only gateways reach the stack's own Valkey, and it reaches nothing. */
export function statePolicy(port: number) {
  return {
    podSelector: { matchLabels: { app: "state" } },
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ from: [{ podSelector: { matchLabels: { app: "gateway" } } }], ports: tcp([port]) }],
    egress: [],
  };
}

/**
 * The gateway reaches Ollama, what it shares with other gateways, the API server where gateways stand by, and the
 * collector of its traces if it has one.
 */
export function gatewayPolicy(
  config: ParsedConfig,
  ports: { readonly gateway: number; readonly ollama: number; readonly state: number },
) {
  const { gatewayAllowedSources, gatewayEnvironment, state, stateAddress } = config;
  const { OTEL_EXPORTER_OTLP_ENDPOINT: collector } = readConfig(gatewayEnvironment);
  const from = gatewayAllowedSources.map((source) =>
    source.startsWith("namespace/")
      ? {
          namespaceSelector: {
            matchLabels: { "kubernetes.io/metadata.name": source.slice("namespace/".length) },
          },
        }
      : { ipBlock: { cidr: source } },
  );
  return {
    podSelector: { matchLabels: { app: "gateway" } },
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ ...(from.length === 0 ? {} : { from }), ports: tcp([ports.gateway]) }],
    egress: [
      lookups,
      { to: [{ podSelector: { matchLabels: { app: "ollama" } } }], ports: tcp([ports.ollama]) },
      ...(state === "memory" ? [] : [shared(stateAddress, ports.state)]),
      ...(hasStandbys(config) ? [{ to: anywhere, ports: tcp(apiServerPorts) }] : []),
      ...(collector === "" ? [] : [{ to: anywhere, ports: tcp([portOf(collector)]) }]),
    ],
  };
}

/** The stack's own Valkey, or a server that may be anywhere. */
function shared(address: string, port: number) {
  return address === ""
    ? { to: [{ podSelector: { matchLabels: { app: "state" } } }], ports: tcp([port]) }
    : { to: anywhere, ports: tcp([Number(new URL(address).port || port)]) };
}

const tcp = (ports: readonly number[]) => ports.map((port) => ({ protocol: "TCP", port }));

/** The ports of the registries and the proxy; registries send on to a store at the usual port. */
function pullPorts({ models, ollamaEnvironment }: ParsedConfig): readonly number[] {
  const ofModels = models.map(({ name, source = name, insecure = false }) => {
    if (sourceKind(source) === "url") return portOf(source);
    return portOf(`${insecure ? "http" : "https"}://${parseReference(source).host}`);
  });
  const ofProxies = Object.entries(ollamaEnvironment)
    .filter(([name, value]) => /^https?_proxy$/i.test(name) && value !== "")
    .map(([, value]) => portOf(/^[a-z]+:\/\//i.test(value) ? value : `http://${value}`));
  return [...new Set([secure, ...ofModels, ...ofProxies])].toSorted((left, right) => left - right);
}

function portOf(url: string): number {
  const parsed = URL.parse(url);
  if (parsed === null) return secure;
  return parsed.port !== "" ? Number(parsed.port) : parsed.protocol === "http:" ? 80 : secure;
}
