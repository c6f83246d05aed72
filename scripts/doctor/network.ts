import { tryNpm } from "../../host/npm.ts";
import { connectionFailure, fetchOutbound } from "../../host/outbound-fetch.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** Sites from which released tools, images and models are downloaded. */
const sites = [
  { name: "Pulumi's downloads", url: "https://get.pulumi.com" },
  { name: "Docker Hub", url: "https://registry-1.docker.io/v2/" },
  { name: "Ollama's models", url: "https://registry.ollama.ai/v2/" },
] as const;

const withinMs = 6000;

/** Checks that the sites are reachable, through the machine's proxy if it has one. */
export async function checkSites(): Promise<Finding[]> {
  const all = [...sites, ...(await npmRegistry())];
  return await Promise.all(all.map(({ name, url }) => checkSite(name, url)));
}

async function checkSite(name: string, url: string): Promise<Finding> {
  const host = new URL(url).hostname;
  const result = await statusOf(url);
  // A registry responds with 401; a proxy's rejection does not count.
  if (typeof result === "number" && (result < 400 || result === 401 || result === 404))
    return ok("network", `${name}: ${host} responds`);
  return warning(
    "network",
    `${name}: ${host} ${typeof result === "number" ? `responds with ${String(result)}` : `does not respond: ${result}`}`,
    "Needed for the first set-up and for pulls only. Connect, or set HTTPS_PROXY; the engine has a proxy setting of its own.",
  );
}

/** The configured npm registry. */
async function npmRegistry(): Promise<{ name: string; url: string }[]> {
  const url = await tryNpm(["config", "get", "registry"], withinMs);
  return url !== undefined && URL.canParse(url.trim()) ? [{ name: "npm's registry", url: url.trim() }] : [];
}

/** The status of its response, or why there is none. */
async function statusOf(url: string): Promise<number | string> {
  try {
    const { status } = await fetchOutbound(url, { method: "HEAD", signal: AbortSignal.timeout(withinMs) });
    return status;
  } catch (error) {
    return connectionFailure(error);
  }
}
