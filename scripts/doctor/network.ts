import { lookup } from "node:dns/promises";
import { ask } from "../../host/exec.ts";
import { type Finding, ok, warning } from "./finding.ts";

/** What the released tools, images and models come from. */
const sites = [
  { name: "Pulumi's downloads", url: "https://get.pulumi.com" },
  { name: "Docker Hub", url: "https://registry-1.docker.io/v2/" },
  { name: "Ollama's models", url: "https://registry.ollama.ai/v2/" },
] as const;

const withinMs = 6000;

/** Whether the sites answer from here, by way of the proxy that the environment names. */
export async function checkSites(): Promise<Finding[]> {
  const results = await Promise.all(
    [...sites, ...(await npmRegistry())].map(async ({ name, url }) => ({
      name,
      host: new URL(url).hostname,
      status: await statusOf(url),
    })),
  );
  return await Promise.all(
    results.map(async ({ name, host, status }) => {
      // A registry asks for a token; a proxy that refuses in its name does not count.
      if (status !== undefined && (status < 400 || status === 401 || status === 404))
        return ok("network", `${name}: ${host} answers`);
      const found = `${name}: ${host} ${status === undefined ? await reason(host) : `answers ${String(status)}`}`;
      return warning(
        "network",
        found,
        "Needed for the first set-up and for pulls only. Connect, or set HTTPS_PROXY; the engine has a proxy setting of its own.",
      );
    }),
  );
}

/** The registry that npm is set to. */
async function npmRegistry(): Promise<{ name: string; url: string }[]> {
  const url = await ask("npm", ["config", "get", "registry"], { timeoutMs: withinMs });
  return url !== undefined && URL.canParse(url.trim()) ? [{ name: "npm's registry", url: url.trim() }] : [];
}

async function reason(host: string): Promise<string> {
  try {
    await lookup(host);
    return "does not answer";
  } catch (error) {
    return `does not resolve (${(error as NodeJS.ErrnoException).code ?? "unknown"})`;
  }
}

/** Node.js looks for a proxy only when it starts. */
async function statusOf(url: string): Promise<number | undefined> {
  const script = `fetch(process.argv[1], { method: "HEAD", redirect: "manual" }).then(({ status }) => console.log(status))`;
  const text = await ask(process.execPath, ["--eval", script, url], {
    timeoutMs: withinMs,
    env: { NODE_USE_ENV_PROXY: "1" },
  });
  return text === undefined ? undefined : Number(text);
}
