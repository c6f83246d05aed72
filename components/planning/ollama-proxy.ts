import { engineHost, isRemote, type EngineAddress } from "../../engine/docker-cli.ts";
import { findProxies, type ProxySettings } from "../../host/proxy.ts";

interface ProxyContext extends EngineAddress {
  /** From the config; takes precedence. */
  readonly ollamaEnvironment: Readonly<Record<string, string>>;
  /** Lines of /etc/hosts in Ollama's container: hosts in its own network. */
  readonly ollamaHosts: readonly string[];
}

export interface OllamaProxy {
  /** Variables for Ollama's container; empty if it needs no proxy. */
  readonly variables: Readonly<Record<string, string>>;
  /** Why this machine's proxy is not passed to it. */
  readonly warning: string | undefined;
}

const none: OllamaProxy = { variables: {}, warning: undefined };

/**
 * The proxy for Ollama's pulls: the machine's own, as Docker's client configures it for containers. Only for https, which
 * registries use; with an http proxy, Ollama's CLI would send requests for its own server to the proxy.
 */
export function ollamaProxy(
  { ollamaEnvironment, ollamaHosts, ...engine }: ProxyContext,
  proxies: ProxySettings | undefined = findProxies(),
): OllamaProxy {
  // A remote engine's host is in another network.
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
