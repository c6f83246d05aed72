import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed, places } from "../toolchain/install.ts";
import { versions } from "../toolchain/parts.ts";
import { cacheRoot } from "./node/install.mjs";
import { ask } from "./process.ts";
import type { Asked, Decision } from "./world.ts";

const withinMs = 8000;

/** Asks this machine and its network; `forced` is the --world option. */
export function probes(forced: string | undefined): Asked {
  return {
    forced: () => forced ?? nonEmpty(process.env["OLLAMA_STACK_WORLD"]),
    remembered,
    releasedInstalled: () => places().every(({ part, folder }) => installed(part, folder) === "released"),
    siteReachable: () => answers("https://get.pulumi.com"),
    // The client fetches it itself; what it names is what the stack would run.
    imagesReachable: async () =>
      (await ask("docker", ["manifest", "inspect", `ollama/ollama:${versions.ollama}`], {
        timeoutMs: withinMs,
        env: { DOCKER_CLI_EXPERIMENTAL: "enabled" },
      })) !== undefined,
    packagesReachable: async () =>
      (await ask("npm", ["ping", "--fetch-retries=0", `--fetch-timeout=${withinMs}`], {
        timeoutMs: 2 * withinMs,
      })) !== undefined,
    canBuild: () =>
      process.platform === "linux" &&
      process.arch === "x64" &&
      process.getuid?.() === 0 &&
      existsSync("/etc/debian_version"),
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    // Any answer of the site's own will do; a gateway that refuses in its name does not count.
    const { status } = await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(withinMs) });
    return status < 400;
  } catch {
    return false;
  }
}

const memory = () => join(cacheRoot(), "world.json");

function remembered(): Decision | undefined {
  try {
    const { world, reason } = JSON.parse(readFileSync(memory(), "utf8")) as Partial<Decision>;
    if (world === undefined || reason === undefined) return undefined;
    return { world, reason };
  } catch {
    return undefined;
  }
}

/** What was found out holds for the runs to come; what was asked for holds for one. */
export function remember(decision: Decision): void {
  writeFileSync(memory(), JSON.stringify(decision));
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
