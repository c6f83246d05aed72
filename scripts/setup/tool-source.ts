/** Where the tools, images and models come from: the vendors' releases, or this machine's own build of them. */
export type ToolSource = "released" | "built";

export interface Decision {
  readonly world: ToolSource;
  readonly reason: string;
  /** Whether it holds for later runs. What follows from a failure, which may be over by then, does not. */
  readonly lasting: boolean;
}

export interface Probes {
  /** The --tools option or OLLAMA_STACK_WORLD, as it was given. */
  readonly forced: string | undefined;
  /** What an earlier run decided. */
  readonly remembered: ToolSource | undefined;
  /** Whether the CLI and both plugins are there as released, complete. */
  readonly releasedInstalled: boolean;
  /** Whether the CLI and both plugins are there as this machine has built them, maybe from older sources. */
  readonly builtInstalled: boolean;
  /** Why the sites that the released CLI is downloaded from cannot be reached; undefined if one of them responds. */
  readonly siteFailure: string | undefined;
  /** Whether the package registries respond. */
  readonly packagesReachable: boolean;
  /** A Debian on x64, and root: the machine that toolchain/ knows how to build on. */
  readonly canBuild: boolean;
}

/** Probing costs seconds, so it is put off until the decision depends on it. */
export type LazyProbes = { readonly [K in keyof Probes]: () => Probes[K] | Promise<Probes[K]> };

export class WorldError extends Error {
  override readonly name = "WorldError";
}

/**
 * Decides between released and built tools. Whether an image registry can be reached is not checked: only the engine
 * that pulls knows its mirrors, proxies and logins, and a pull that fails says why. So nobody waits for a build because
 * a registry was busy.
 */
export async function decideWorld(probes: LazyProbes): Promise<Decision> {
  const forced = await probes.forced();
  if (forced !== undefined) {
    if (forced !== "released" && forced !== "built") {
      throw new WorldError(
        `tools can be "released" or "built", and not "${forced}": change --tools or OLLAMA_STACK_WORLD`,
      );
    }
    if (forced === "built" && !(await probes.canBuild()))
      throw new WorldError(`--tools built: ${cannotBuild}`);
    return { world: forced, reason: "as --tools or OLLAMA_STACK_WORLD says", lasting: false };
  }
  const remembered = await probes.remembered();
  if (remembered !== undefined) return { world: remembered, reason: "as before", lasting: false };

  // Needs no network: a stack can be taken down while there is none.
  if (await probes.releasedInstalled())
    return { world: "released", reason: "the released tools are installed", lasting: true };
  const failure = await probes.siteFailure();
  if (failure === undefined)
    return { world: "released", reason: "Pulumi's downloads can be reached", lasting: true };
  const missing = `Pulumi's downloads cannot be reached: ${failure}`;
  if (await probes.builtInstalled())
    return { world: "built", reason: "the tools that this machine has built are installed", lasting: false };
  if (!(await probes.packagesReachable()))
    throw new WorldError(
      `no network: neither Pulumi's downloads (${failure}) nor the package registries respond; connect, or set HTTPS_PROXY, and run it again`,
    );
  if (!(await probes.canBuild())) throw new WorldError(`${missing}; and ${cannotBuild}`);
  return { world: "built", reason: missing, lasting: false };
}

const cannotBuild =
  "the tools can only be built on Debian x64 as root: use such a machine, or one that reaches the released tools";
