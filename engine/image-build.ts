import { ask, runTool, SetupError } from "../host/exec.ts";
import { say } from "../host/progress.ts";

/** An image to build from a folder with a Dockerfile. */
export interface ImageBuild {
  /** With its tag. */
  readonly name: string;
  readonly context: string;
  /** Values of the Dockerfile's ARGs. */
  readonly buildArgs: Readonly<Record<string, string>>;
  /** Such as linux/amd64; empty for the engine's own. */
  readonly platforms: readonly string[];
  /** Whether it goes to the registry that its name begins with. */
  readonly isPushed: boolean;
  /** Whether Docker's client is one without buildx. */
  readonly usesLegacyBuilder: boolean;
}

/** Reads a list such as linux/amd64,linux/arm64. @throws SetupError */
export function parsePlatforms(text: string): readonly string[] {
  const platforms = [...new Set(text.split(",").map((each) => each.trim()))];
  if (platforms.every((each) => /^linux\/[a-z0-9_]+(\/[a-z0-9]+)?$/.test(each))) return platforms;
  throw new SetupError(
    `--platform is ${JSON.stringify(text)}, but must be a platform such as linux/amd64, or several with commas between them`,
  );
}

/** Builds an image, and pushes it. @throws SetupError */
export async function buildImage(build: ImageBuild): Promise<void> {
  if (build.platforms.length > 1) await buildForSeveral(build);
  else await buildForOne(build);
}

async function buildForOne({ name, platforms, isPushed, usesLegacyBuilder, ...build }: ImageBuild) {
  const platform = platforms.flatMap((each) => ["--platform", each]);
  await runTool("docker", ["build", ...platform, ...argumentsOf({ name, ...build })], {
    what: `build image ${name}`,
    ...(usesLegacyBuilder ? { env: { DOCKER_BUILDKIT: "0" } } : {}),
  });
  if (isPushed) await runTool("docker", ["push", name], { what: `push ${name}`, report: say });
}

/** An engine need not be able to keep such an image, so it goes from the builder to the registry. */
async function buildForSeveral({ platforms, isPushed, ...build }: ImageBuild): Promise<void> {
  const given = platforms.join(",");
  if (!isPushed)
    throw new SetupError(
      `an image for ${given} is kept by a registry only: give its name with --push, or one platform`,
    );
  if ((await ask("docker", ["buildx", "version"])) === undefined)
    throw new SetupError(
      `an image for ${given} takes Docker's buildx, which is not installed: install it (https://docs.docker.com/go/buildx/), or give one platform`,
    );
  await runTool("docker", ["buildx", "build", "--push", "--platform", given, ...argumentsOf(build)], {
    what: `build and push image ${build.name}`,
    report: say,
  });
}

function argumentsOf({ name, context, buildArgs }: Pick<ImageBuild, "name" | "context" | "buildArgs">) {
  const args = Object.entries(buildArgs).flatMap(([key, value]) => ["--build-arg", `${key}=${value}`]);
  return [...args, "--tag", name, context];
}
