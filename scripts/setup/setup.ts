import { mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build, isBuilt } from "../../toolchain/build.ts";
import { cliFolder, pulumiHome } from "../../toolchain/install.ts";
import { ensureEngine } from "./docker-engine.ts";
import { withLock } from "../../host/file-lock.mjs";
import { cacheRoot, compileCache } from "../../host/cache-dir.mjs";
import { printLine } from "../../host/progress.ts";
import { probes, remember } from "./probes.ts";
import { installReleased, isReleasedInstalled } from "./released-tools.ts";
import { certificatesOf, networkEnvironment } from "./network-environment.ts";
import { engineOf } from "../stack/stack-file.ts";
import { decideToolSource, defaultStack, knownToolSource, type ToolSource } from "./tool-source.ts";

export type { ToolSource } from "./tool-source.ts";

interface SetupOptions {
  /** Forces a source; otherwise OLLAMA_STACK_WORLD does, or it is detected once and remembered. */
  readonly tools?: string | undefined;
  /** The stack to set up; by default the one whose config fits the tools' source. */
  readonly stack?: string | undefined;
  /** Whether to build Docker 29 too, which only tests need. */
  readonly currentEngine?: boolean;
}

/** The installed tools. */
interface Setup {
  readonly toolSource: ToolSource;
  /** The stack whose config fits the tools' source. */
  readonly stack: "dev" | "local";
  /** Environment variables for `pulumi`, its programs and its plugins. */
  readonly env: Readonly<Record<string, string>>;
  /** The CLI itself. */
  readonly pulumi: string;
}

/** Installs everything that is missing. If nothing is missing, takes no lock and starts no process. */
export async function setup(options: SetupOptions = {}): Promise<Setup> {
  mkdirSync(join(cacheRoot(), "logs"), { recursive: true });
  const locked = <T>(work: () => Promise<T>) =>
    withLock(
      join(cacheRoot(), "setup.lock"),
      ({ pid }) => {
        printLine(`waiting for process ${pid}, which is setting up the same tools`);
      },
      work,
    );

  const probed = probes(options.tools);
  const expected = await knownToolSource(probed);
  const named = options.stack ?? (expected === undefined ? undefined : defaultStack(expected));
  const address = engineOf(named);
  const network = networkEnvironment(address, certificatesOf(named ?? defaultStack("released")));
  Object.assign(process.env, network);
  let engine = await ensureEngine(locked, address);
  const decision = await decideToolSource(probed);
  const { toolSource, reason } = decision;
  if (decision.lasting) remember(decision);
  printLine(`tools: ${toolSource} (${reason})`);
  const stack = defaultStack(toolSource);
  // The stack is unknown until the source is known.
  if (named === undefined) engine = await ensureEngine(locked, engineOf(stack));

  if (toolSource === "released") {
    if (!isReleasedInstalled()) await locked(installReleased);
  } else {
    const { api } = engine;
    const extras = { currentEngine: options.currentEngine ?? false };
    if (!(await isBuilt(api, extras))) {
      if (expected === undefined) await announceBuild(reason);
      await locked(() => build(api, extras));
    }
    // The installed tools work; downloads are tried again in a day.
    if (expected === undefined) remember(decision);
  }
  const pulumi = join(cliFolder(), process.platform === "win32" ? "pulumi.exe" : "pulumi");
  return {
    toolSource,
    stack,
    env: { ...network, ...environment(engine.env) },
    pulumi,
  };
}

const secondsToRead = 10;

/** Announces a build, its duration and how to avoid it, and on a terminal waits so that it can be stopped. */
async function announceBuild(reason: string): Promise<void> {
  printLine(`${reason}.`);
  printLine(
    "So this machine builds the same tools, images and a small model from packages, which takes about 15 minutes on two cores.",
  );
  printLine(
    "To use the released ones, stop this, fix the connection (or set HTTPS_PROXY), and run it again with --tools released.",
  );
  if (!process.stdin.isTTY || !process.stderr.isTTY) return;
  printLine(`It begins in ${String(secondsToRead)} s; Ctrl-C stops it.`);
  await sleep(secondsToRead * 1000);
}

/** The CLI comes first on the PATH, then the Node.js that programs need: this one. */
function environment(engine: Readonly<Record<string, string>>): Record<string, string> {
  const path = [cliFolder(), dirname(process.execPath), process.env["PATH"] ?? ""];
  return {
    ...engine,
    PATH: [...new Set(path.join(delimiter).split(delimiter))].join(delimiter),
    // Set explicitly, because the CLI uses the account's home folder even if $HOME differs.
    PULUMI_HOME: pulumiHome(),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    NODE_COMPILE_CACHE: compileCache(),
    // The CLI and its plugins run for seconds: collecting garbage less often saves 8 % of the CPU time.
    GOGC: process.env["GOGC"] ?? "400",
  };
}
