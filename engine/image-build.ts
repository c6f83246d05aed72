import { tryRun, runTool, SetupError } from "../host/exec.ts";
import { printLine } from "../host/progress.ts";

/** An image to build from a folder with a Dockerfile. */
export interface ImageBuild {
  /** Including the tag. */
  readonly name: string;
  readonly context: string;
  /** Values of the Dockerfile's ARGs. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** Such as linux/amd64; an empty list means the engine's own platform. */
  readonly platforms: readonly string[];
  /** Whether it is pushed to the registry in its name. */
  readonly isPushed: boolean;
  /** Whether Docker's client lacks buildx. */
  readonly usesLegacyBuilder: boolean;
}

/** Parses a list such as linux/amd64,linux/arm64. @throws SetupError */
export function parsePlatforms(text: string): readonly string[] {
  const platforms = [...new Set(text.split(",").map((each) => each.trim()))];
  if (platforms.every((each) => /^linux\/[a-z0-9_]+(\/[a-z0-9]+)?$/.test(each))) return platforms;
  throw new SetupError(
    `--platform is ${JSON.stringify(text)}, but must be a platform such as linux/amd64, or several separated by commas`,
  );
}

/** Builds an image and optionally pushes it. @throws SetupError */
export async function buildImage(build: ImageBuild): Promise<void> {
  if (build.platforms.length > 1) await buildMultiPlatform(build);
  else await buildSinglePlatform(build);
}

async function buildSinglePlatform({ name, platforms, isPushed, usesLegacyBuilder, ...build }: ImageBuild) {
  const platform = platforms.flatMap((each) => ["--platform", each]);
  await runTool("docker", ["build", ...platform, ...argumentsOf({ name, ...build })], {
    what: `build image ${name}`,
    ...(usesLegacyBuilder ? { env: { DOCKER_BUILDKIT: "0" } } : {}),
  });
  if (isPushed) await runTool("docker", ["push", name], { what: `push ${name}`, report: printLine });
}

/** Pushes straight from the builder, because not every engine can store a multi-platform image. */
async function buildMultiPlatform({ platforms, isPushed, ...build }: ImageBuild): Promise<void> {
  const list = platforms.join(",");
  if (!isPushed)
    throw new SetupError(
      `an image for ${list} can only be stored in a registry: set its name with --push, or choose one platform`,
    );
  if ((await tryRun("docker", ["buildx", "version"])) === undefined)
    throw new SetupError(
      `an image for ${list} requires Docker's buildx, which is not installed: install it (https://docs.docker.com/go/buildx/), or choose one platform`,
    );
  await runTool("docker", ["buildx", "build", "--push", "--platform", list, ...argumentsOf(build)], {
    what: `build and push image ${build.name}`,
    report: printLine,
  });
}

function argumentsOf({ name, context, buildArgs }: Pick<ImageBuild, "name" | "context" | "buildArgs">) {
  const args = Object.entries(buildArgs).flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]);
  return [...args, "--tag", name, context];
}
