import { readConfig } from "../../../gateway/src/config/config.ts";
import { hasStandbys } from "../../config/kubernetes/gateway-count.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { parseReference, sourceKind } from "../../config/models/model-source.ts";

// Allowed connections from and to each pod, if the cluster's network enforces policies.

const secure = 443;
// No selector matches the API server, which uses one of these ports in most distributions.
const apiServerPorts = [secure, 6443];

/** DNS in the cluster, or at an address of the node. */
const dns = { ports: [53].flatMap((port) => ["UDP", "TCP"].map((protocol) => ({ protocol, port }))) };

/** Anywhere except link-local addresses, where clouds serve a node's credentials. */
const anywhere = [
  { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } },
  { ipBlock: { cidr: "::/0", except: ["fe80::/10"] } },
  { namespaceSelector: {} },
];

/** Ollama accepts connections from the gateway only, and connects only to the sources of models. */
export function ollamaPolicy(config: ParsedConfig, port: number) {
  return {
    podSelector: { matchLabels: { app: "ollama" } },
    policyTypes: ["Ingress", "Egress"],
    ingress: [
      { from: [{ podSelector: { matchLabels: { app: "gateway" } } }], ports: [{ protocol: "TCP", port }] },
    ],
    egress: [dns, { to: anywhere, ports: tcp(pullPorts(config)) }],
  };
}

/** The stack's own Valkey accepts connections from gateways only, and opens none. */
export function statePolicy(port: number) {
  return {
    podSelector: { matchLabels: { app: "state" } },
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ from: [{ podSelector: { matchLabels: { app: "gateway" } } }], ports: tcp([port]) }],
    egress: [],
  };
}

/**
 * The gateway connects to Ollama, the shared state, the API server if gateways stand by, and its OpenTelemetry collector if
 * configured.
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
      dns,
      { to: [{ podSelector: { matchLabels: { app: "ollama" } } }], ports: tcp([ports.ollama]) },
      ...(state === "memory" ? [] : [shared(stateAddress, ports.state)]),
      ...(hasStandbys(config) ? [{ to: anywhere, ports: tcp(apiServerPorts) }] : []),
      ...(collector === "" ? [] : [{ to: anywhere, ports: tcp([portOf(collector)]) }]),
    ],
  };
}

/** The stack's own Valkey, or an external server. */
function shared(address: string, port: number) {
  return address === ""
    ? { to: [{ podSelector: { matchLabels: { app: "state" } } }], ports: tcp([port]) }
    : { to: anywhere, ports: tcp([Number(new URL(address).port || port)]) };
}

const tcp = (ports: readonly number[]) => ports.map((port) => ({ protocol: "TCP", port }));

/** Ports of registries and proxies, plus 443, because registries redirect to a blob store. */
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
