import { findProxies } from "../../host/proxy.ts";

/** Explains in one line why the engine cannot pull a config key's image, and what to do. */
export function pullFailure(key: string, image: string, reason: string): string {
  return `${key} is "${image}", which the engine lacks and cannot pull: ${reason}. ${wayOut(key, reason)}`;
}

function wayOut(key: string, reason: string): string {
  if (/toomanyrequests|rate limit|\b429\b/i.test(reason))
    return "The registry limits pulls without an account: log in (docker login), try again later, or use a mirror (docs/proxies.md)";
  const unreachable =
    /no such host|i\/o timeout|connection refused|network is unreachable|deadline exceeded/i;
  if (unreachable.test(reason) && findProxies() !== undefined)
    return "This machine uses a proxy, but the engine has its own proxy setting: see docs/proxies.md";
  return (
    `Check its name and tag, and that the engine reaches its registry and may read there (docker login); ` +
    `or set another: pulumi config set ${key} IMAGE`
  );
}
