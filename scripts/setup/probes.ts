import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed, places } from "../../toolchain/install.ts";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { tryNpm } from "../../host/npm.ts";
import { connectionFailure, fetchOutbound } from "../../host/outbound-fetch.ts";
import { hasReleasedTools } from "./released-tools.ts";
import type { Decision, LazyProbes, ToolSource } from "./tool-source.ts";

const withinMs = 8000;
const sites = ["https://get.pulumi.com", "https://github.com"];

/** Probes this machine and its network; `forced` is the --tools option. */
export function probes(forced: string | undefined): LazyProbes {
  return {
    forced: () => forced ?? nonEmpty(process.env["OLLAMA_STACK_WORLD"]),
    remembered,
    releasedInstalled: hasReleasedTools,
    builtInstalled: () =>
      places().every(({ part, folder }) => ["current", "outdated"].includes(installed(part, folder))),
    siteFailure,
    packagesReachable: async () =>
      (await tryNpm(["ping", "--fetch-retries=0", `--fetch-timeout=${String(withinMs)}`], 2 * withinMs)) !==
      undefined,
    canBuild: () =>
      process.platform === "linux" &&
      process.arch === "x64" &&
      process.getuid?.() === 0 &&
      existsSync("/etc/debian_version"),
  };
}

/** Why a site is unreachable; undefined if it responds. A proxy's rejection does not count as a response. */
async function siteFailure(): Promise<string | undefined> {
  const failures = await Promise.all(sites.map(failureOf));
  return failures.includes(undefined) ? undefined : failures.join("; ");
}

async function failureOf(url: string): Promise<string | undefined> {
  const { host } = new URL(url);
  try {
    const { status } = await fetchOutbound(url, { method: "HEAD", signal: AbortSignal.timeout(withinMs) });
    return status < 400 ? undefined : `${host} responds with ${String(status)}`;
  } catch (error) {
    return `${host}: ${connectionFailure(error)}`;
  }
}

const memory = () => join(cacheRoot(), "world.json");

// Unreachable downloads are tried again after a day.
const builtHoldsMs = 24 * 60 * 60 * 1000;

/** An earlier run's decision, if still valid. Exported for its test. */
export function remembered(): ToolSource | undefined {
  try {
    const { world, at = 0 } = JSON.parse(readFileSync(memory(), "utf8")) as Partial<Memory>;
    if (world === "built" && Date.now() - at > builtHoldsMs) return undefined;
    return world;
  } catch {
    return undefined;
  }
}

/** world.json, which earlier versions read and write too. */
interface Memory {
  readonly world: ToolSource;
  readonly reason: string;
  /** When it was decided, ms. */
  readonly at: number;
}

/** Remembers the decision for later runs. */
export function remember({ toolSource, reason }: Decision): void {
  const decided: Memory = { world: toolSource, reason, at: Date.now() };
  writeFileSync(memory(), JSON.stringify(decided));
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
