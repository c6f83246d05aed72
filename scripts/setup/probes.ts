import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { installed, places } from "../../toolchain/install.ts";
import { versions } from "../../toolchain/binaries.ts";
import { cacheRoot } from "../../host/cache-dir.mjs";
import { ask } from "../../host/exec.ts";
import type { Asked, Decision } from "./tool-source.ts";

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

/**
 * Whether a site answers, by way of the proxy that the environment names: Node.js looks for that only when it starts,
 * and this process, which talks to loopback ports, was not told to. Any answer of the site's own will do; a gateway that
 * refuses in its name does not count.
 */
async function answers(url: string): Promise<boolean> {
  const script = `fetch(process.argv[1], { method: "HEAD" }).then(({ status }) => process.exit(status < 400 ? 0 : 1))`;
  const asked = ["--eval", script, url];
  return (
    (await ask(process.execPath, asked, { timeoutMs: withinMs, env: { NODE_USE_ENV_PROXY: "1" } })) !==
    undefined
  );
}

const memory = () => join(cacheRoot(), "world.json");

// A download site that did not answer once may be back: a day later it is asked again.
const builtHoldsMs = 24 * 60 * 60 * 1000;

/** What an earlier run found out, if it still holds. Exported for its test. */
export function remembered(): Decision | undefined {
  try {
    const { world, reason, at = 0 } = JSON.parse(readFileSync(memory(), "utf8")) as Partial<Memory>;
    if (world === undefined || reason === undefined) return undefined;
    if (world === "built" && Date.now() - at > builtHoldsMs) return undefined;
    return { world, reason };
  } catch {
    return undefined;
  }
}

interface Memory extends Decision {
  /** When it was found out, ms. */
  readonly at: number;
}

/** What was found out holds for the runs to come; what was asked for holds for one. */
export function remember(decision: Decision): void {
  writeFileSync(memory(), JSON.stringify({ ...decision, at: Date.now() } satisfies Memory));
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
