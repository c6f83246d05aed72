import { mkdirSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { build, isBuilt } from "../toolchain/build.ts";
import { cliFolder, pulumiHome } from "../toolchain/install.ts";
import { ensureEngine } from "./engine.ts";
import { withLock } from "./lock.ts";
import { main } from "./main.ts";
import { cacheRoot } from "./node/install.mjs";
import { probes, remember } from "./probes.ts";
import { SetupError } from "./process.ts";
import { say } from "./progress.ts";
import { installReleased, isReleasedInstalled } from "./released.ts";
import { decideWorld, type World } from "./world.ts";

export type { World } from "./world.ts";

export interface SetupOptions {
  /** Forces a world; otherwise OLLAMA_STACK_WORLD does, or it is found out once and remembered. */
  readonly world?: string | undefined;
  /** Whether the built world has Docker 29 too, which only tests need. */
  readonly currentEngine?: boolean;
}

/** The tools are in place. */
export interface Setup {
  readonly world: World;
  readonly reason: string;
  /** The stack whose config fits this world. */
  readonly stack: "dev" | "local";
  /** What to add to the environment so that `pulumi`, its programs and its plugins find everything. */
  readonly env: Readonly<Record<string, string>>;
  /** The CLI itself. */
  readonly pulumi: string;
}

/** Puts everything that is missing in place. With nothing to do it takes no lock and starts no process. */
export async function setup(options: SetupOptions = {}): Promise<Setup> {
  mkdirSync(join(cacheRoot(), "logs"), { recursive: true });
  const locked = <T>(work: () => Promise<T>) =>
    withLock(
      join(cacheRoot(), "setup.lock"),
      ({ pid }) => {
        say(`waiting for process ${pid}, which is setting up the same tools`);
      },
      work,
    );

  const engine = await ensureEngine(locked);
  const asked = probes(options.world);
  const { world, reason } = await decideWorld(asked);
  const forced = (await asked.forced()) !== undefined;
  const known = forced || (await asked.remembered()) !== undefined;
  if (!known) remember({ world, reason });
  say(`world: ${world} (${reason})`);

  if (world === "released") {
    if (!isReleasedInstalled()) await locked(installReleased);
  } else {
    const { api } = engine;
    if (api === undefined)
      throw new SetupError(
        `the built world needs an engine on this machine, not ${engine.host}: unset DOCKER_HOST or the docker context`,
      );
    const extras = { currentEngine: options.currentEngine ?? false };
    if (!(await isBuilt(api, extras))) await locked(() => build(api, extras));
  }
  const pulumi = join(cliFolder(), process.platform === "win32" ? "pulumi.exe" : "pulumi");
  return {
    world,
    reason,
    stack: world === "released" ? "dev" : "local",
    env: environment(engine.env),
    pulumi,
  };
}

/** The CLI comes first on the PATH, then the Node.js that programs need: this one. */
function environment(engine: Readonly<Record<string, string>>): Record<string, string> {
  const path = [cliFolder(), dirname(process.execPath), process.env["PATH"] ?? ""];
  return {
    ...engine,
    PATH: [...new Set(path.join(delimiter).split(delimiter))].join(delimiter),
    // Said aloud: the CLI takes the home of the user's account where $HOME is another.
    PULUMI_HOME: pulumiHome(),
    PULUMI_SKIP_UPDATE_CHECK: "true",
  };
}

if (import.meta.main) {
  await main(async () => {
    const { values } = parseArgs({ options: { world: { type: "string" } } });
    const { pulumi } = await setup({ world: values.world });
    say(`ready: ${pulumi}`);
  });
}
