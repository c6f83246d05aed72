/** Where the tools, images and models come from: the vendors' releases, or this machine's own build of them. */
export type ToolSource = "released" | "built";

export interface Decision {
  readonly world: ToolSource;
  readonly reason: string;
}

export interface Probes {
  /** The --world option or OLLAMA_STACK_WORLD, as it was given. */
  readonly forced: string | undefined;
  /** What an earlier run decided. */
  readonly remembered: Decision | undefined;
  /** Whether the CLI and both plugins are there as released. */
  readonly releasedInstalled: boolean;
  /** The site the released CLI is downloaded from answers. */
  readonly siteReachable: boolean;
  /** The image registry answers the Docker client. */
  readonly imagesReachable: boolean;
  /** The language registries answer. */
  readonly packagesReachable: boolean;
  /** A Debian on x64, and root: the machine that toolchain/ knows how to build on. */
  readonly canBuild: boolean;
}

/** Probing costs seconds, so it is put off until the answer depends on it. */
export type Asked = { readonly [K in keyof Probes]: () => Probes[K] | Promise<Probes[K]> };

export class WorldError extends Error {
  override readonly name = "WorldError";
}

export async function decideWorld(probes: Asked): Promise<Decision> {
  const forced = await probes.forced();
  if (forced !== undefined) {
    if (forced !== "released" && forced !== "built") {
      throw new WorldError(
        `the world is "${forced}": it must be released or built (--world, OLLAMA_STACK_WORLD)`,
      );
    }
    if (forced === "built" && !(await probes.canBuild()))
      throw new WorldError(`--world built: ${cannotBuild}`);
    return { world: forced, reason: "asked for" };
  }
  const remembered = await probes.remembered();
  if (remembered !== undefined) return remembered;

  const [site, images] = await Promise.all([probes.siteReachable(), probes.imagesReachable()]);
  if (site && images)
    return { world: "released", reason: "Pulumi's downloads and the image registry are reached" };
  if (images && (await probes.releasedInstalled())) {
    return {
      world: "released",
      reason: "the released tools are installed and the image registry is reached",
    };
  }
  const missing = [!site && "Pulumi's download site", !images && "the image registry"]
    .filter((name) => name !== false)
    .join(" and ");
  if (!(await probes.packagesReachable())) {
    throw new WorldError(
      `no network: neither ${missing} nor the package registries answer; connect and run it again`,
    );
  }
  if (!(await probes.canBuild())) throw new WorldError(`${missing} cannot be reached, and ${cannotBuild}`);
  return { world: "built", reason: `${missing} cannot be reached` };
}

const cannotBuild =
  "the tools can only be built on Debian x64 as root: use such a machine, or one that reaches the released tools";
