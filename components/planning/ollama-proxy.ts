import { engineHost, isRemote, type EngineAddress } from "../../engine/docker-cli.ts";
import { findProxies, type ProxySettings } from "../../host/proxy.ts";

interface ProxyContext extends EngineAddress {
  /** What the stack's config sets, which takes precedence. */
  readonly ollamaEnvironment: Readonly<Record<string, string>>;
  /** Lines of /etc/hosts in Ollama's container: hosts of its own network. */
  readonly ollamaHosts: readonly string[];
}

export interface OllamaProxy {
  /** Variables for Ollama's container; none where it needs no proxy. */
  readonly variables: Readonly<Record<string, string>>;
  /** Why a proxy of this machine is not handed to it. */
  readonly warning: string | undefined;
}

const none: OllamaProxy = { variables: {}, warning: undefined };

/**
 * The proxy by which Ollama pulls models: the machine's own, as Docker's client does it for containers. Only for
 * https: registries speak it, and Ollama's own client would send what is meant for the server to a proxy for http.
 */
export function ollamaProxy(
  { ollamaEnvironment, ollamaHosts, ...engine }: ProxyContext,
  proxies: ProxySettings | undefined = findProxies(),
): OllamaProxy {
  // A remote engine's host has a network of its own.
  if (proxies === undefined || isRemote(engineHost(engine))) return none;
  if (Object.keys(ollamaEnvironment).some((name) => name.toUpperCase() === "HTTPS_PROXY")) return none;
  const { https, direct } = proxies;
  if (https === "") return none;
  if (isLoopback(https)) {
    return {
      variables: {},
      warning:
        "The proxy of this machine listens on a loopback address, where Ollama's container cannot reach it. " +
        "If Ollama needs a proxy, set ollamaEnvironment to an address that containers reach: " +
        "pulumi config set --path 'ollamaEnvironment.HTTPS_PROXY' http://ADDRESS:PORT",
    };
  }
  const own = ollamaHosts.map((line) => line.split(":")[0] ?? "");
  const hosts = [...new Set([...direct.split(","), ...own, "ollama", "gateway"])].filter(Boolean);
  return { variables: { HTTPS_PROXY: https, NO_PROXY: hosts.join(",") }, warning: undefined };
}

function isLoopback(proxy: string): boolean {
  const text = proxy.includes("://") ? proxy : `http://${proxy}`;
  const host = URL.canParse(text) ? new URL(text).hostname : "";
  return host === "localhost" || host === "[::1]" || host.startsWith("127.");
}
