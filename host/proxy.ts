import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** The proxies through which this machine reaches the internet; "" for none. */
export interface ProxySettings {
  readonly http: string;
  readonly https: string;
  /** Comma-separated hosts that are reached directly, always including loopback. */
  readonly direct: string;
}

/** Hosts that must not go through a proxy. */
const loopback = ["localhost", "127.0.0.1", "::1"];

/**
 * The proxies from the environment (upper or lower case), else from npm's settings, else from Docker's client. Undefined if
 * none is configured.
 */
export function findProxies(
  env: NodeJS.ProcessEnv = process.env,
  dockerConfig: () => string = readDockerConfig,
): ProxySettings | undefined {
  const either = (name: string) => nonEmpty(env[name]) ?? nonEmpty(env[name.toUpperCase()]);
  const npm = (name: string) => nonEmpty(env[`npm_config_${name}`]);
  const sources: readonly (() => Partial<ProxySettings>)[] = [
    () => ({ ...some("http", either("http_proxy")), ...some("https", either("https_proxy")) }),
    () => ({ ...some("http", npm("proxy")), ...some("https", npm("https_proxy") ?? npm("proxy")) }),
    () => proxiesOfDocker(dockerConfig()),
  ];
  for (const source of sources) {
    const { http = "", https = "", direct } = source();
    if (http === "" && https === "") continue;
    const named = either("no_proxy") ?? npm("noproxy") ?? direct ?? "";
    return { http, https, direct: withLoopback(named) };
  }
  return undefined;
}

/**
 * Environment variables for a proxy, in upper and lower case because some programs read only one. Empty without a proxy.
 *
 * @param moreDirect additional hosts that are reached directly
 */
export function proxyEnvironment(
  proxies: ProxySettings | undefined,
  moreDirect: readonly string[] = [],
): Record<string, string> {
  if (proxies === undefined) return {};
  const { http, https } = proxies;
  const direct = [...new Set([...proxies.direct.split(","), ...moreDirect])].join(",");
  return Object.fromEntries(
    [
      ["http_proxy", http],
      ["https_proxy", https],
      ["no_proxy", direct],
    ].flatMap(([name = "", value = ""]) =>
      value === ""
        ? []
        : [
            [name, value],
            [name.toUpperCase(), value],
          ],
    ),
  );
}

/** Removes the credentials from a proxy's address, for messages. */
export function withoutCredentials(proxy: string): string {
  return proxy.replace(/\/\/[^@/]*@/, "//");
}

function withLoopback(named: string): string {
  const hosts = named
    .split(",")
    .map((host) => host.trim())
    .filter(Boolean);
  return [...new Set([...hosts, ...loopback])].join(",");
}

function proxiesOfDocker(text: string): Partial<ProxySettings> {
  try {
    const { proxies } = JSON.parse(text) as {
      proxies?: { default?: { httpProxy?: string; httpsProxy?: string; noProxy?: string } };
    };
    const { httpProxy, httpsProxy, noProxy } = proxies?.default ?? {};
    return { ...some("http", httpProxy), ...some("https", httpsProxy), ...some("direct", noProxy) };
  } catch {
    // Docker's client reports an invalid file itself.
    return {};
  }
}

function readDockerConfig(): string {
  try {
    return readFileSync(
      join(process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker"), "config.json"),
      "utf8",
    );
  } catch {
    return "";
  }
}

function some<K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> {
  return value === undefined || value === "" ? {} : ({ [key]: value } as Record<K, string>);
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === undefined || text === "" ? undefined : text;
}
