import { SetupError } from "../../host/exec.ts";

/** Where the tools, images and models come from: the vendors' releases, or this machine's own build of them. */
export type ToolSource = "released" | "built";

export interface Decision {
  readonly toolSource: ToolSource;
  readonly reason: string;
  /** Whether it is valid for later runs; not if it follows from a failure, which may be temporary. */
  readonly lasting: boolean;
}

export interface Probes {
  /** The --tools option or OLLAMA_STACK_WORLD. */
  readonly forced: string | undefined;
  /** The decision of an earlier run. */
  readonly remembered: ToolSource | undefined;
  /** Whether the released CLI and both plugins are completely installed. */
  readonly releasedInstalled: boolean;
  /** Whether the CLI and both plugins built on this machine are installed, possibly from older sources. */
  readonly builtInstalled: boolean;
  /** Why the download sites of the released CLI are unreachable; undefined if one of them responds. */
  readonly siteFailure: string | undefined;
  /** Whether the package registries respond. */
  readonly packagesReachable: boolean;
  /** Whether this is Debian on x64, as root, which toolchain/ requires. */
  readonly canBuild: boolean;
}

/** Probes take seconds, so they run only when the decision depends on them. */
export type LazyProbes = { readonly [K in keyof Probes]: () => Probes[K] | Promise<Probes[K]> };

/**
 * Decides between released and built tools. Does not check image registries: only the engine knows its mirrors, proxies and
 * logins, and a failed pull reports the reason. So a busy registry does not cause a build.
 */
export async function decideToolSource(probes: LazyProbes): Promise<Decision> {
  const forced = await forcedSource(probes);
  if (forced !== undefined) {
    if (forced === "built" && !(await probes.canBuild()))
      throw new SetupError(`--tools built: ${cannotBuild}`);
    return { toolSource: forced, reason: "selected by --tools or OLLAMA_STACK_WORLD", lasting: false };
  }
  const remembered = await probes.remembered();
  if (remembered !== undefined) return { toolSource: remembered, reason: "as before", lasting: false };

  // Needs no network, so that a stack can be destroyed offline.
  if (await probes.releasedInstalled())
    return { toolSource: "released", reason: "the released tools are installed", lasting: true };
  const failure = await probes.siteFailure();
  if (failure === undefined)
    return { toolSource: "released", reason: "Pulumi's downloads can be reached", lasting: true };
  const missing = `Pulumi's downloads cannot be reached: ${failure}`;
  if (await probes.builtInstalled())
    return {
      toolSource: "built",
      reason: "the tools that this machine has built are installed",
      lasting: false,
    };
  if (!(await probes.packagesReachable()))
    throw new SetupError(
      `no network: neither Pulumi's downloads (${failure}) nor the package registries respond; connect, or set HTTPS_PROXY, and run it again`,
    );
  if (!(await probes.canBuild())) throw new SetupError(`${missing}; and ${cannotBuild}`);
  return { toolSource: "built", reason: missing, lasting: false };
}

/** The source that is certain without probing the machine: forced, or an earlier run's. @throws SetupError */
export async function knownToolSource(
  probes: Pick<LazyProbes, "forced" | "remembered">,
): Promise<ToolSource | undefined> {
  return (await forcedSource(probes)) ?? (await probes.remembered());
}

/** The source that an update would probably use, found without the network; undefined if nothing tells. @throws SetupError */
export async function likelyToolSource(probes: LazyProbes): Promise<ToolSource | undefined> {
  const known = await knownToolSource(probes);
  if (known !== undefined) return known;
  if (await probes.releasedInstalled()) return "released";
  return (await probes.builtInstalled()) ? "built" : undefined;
}

/** The stack whose config fits the tools' source. */
export function defaultStack(source: ToolSource): "dev" | "local" {
  return source === "released" ? "dev" : "local";
}

async function forcedSource({ forced: read }: Pick<LazyProbes, "forced">): Promise<ToolSource | undefined> {
  const forced = await read();
  if (forced === undefined || forced === "released" || forced === "built") return forced;
  throw new SetupError(
    `tools can be "released" or "built", and not "${forced}": change --tools or OLLAMA_STACK_WORLD`,
  );
}

const cannotBuild =
  "the tools can only be built on Debian x64 as root: use such a machine, or one that reaches the released tools";
