import { findProxies } from "../../host/proxy.ts";

/** What to do about an image of a config key that the engine cannot pull for a reason; one line. */
export function pullFailure(key: string, image: string, reason: string): string {
  return `${key} is "${image}", which the engine lacks and cannot pull: ${reason}. ${wayOut(key, reason)}`;
}

function wayOut(key: string, reason: string): string {
  if (/toomanyrequests|rate limit|\b429\b/i.test(reason))
    return "The registry limits pulls without an account: log in (docker login), try again later, or use a mirror (docs/proxies.md)";
  const unreachable =
    /no such host|i\/o timeout|connection refused|network is unreachable|deadline exceeded/i;
  if (unreachable.test(reason) && findProxies() !== undefined)
    return "This machine has a proxy, but the engine has a setting of its own for it: see docs/proxies.md";
  return (
    `Check its name and tag, and that the engine reaches its registry and may read there (docker login); ` +
    `or set another: pulumi config set ${key} IMAGE`
  );
}
