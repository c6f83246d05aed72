import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../config/keys.ts";
import { writeErrorInContainer } from "../../engine/container-view.ts";
import { queryEngine, type EngineAddress, EngineError } from "../../engine/docker-cli.ts";
import { volumeExists } from "./models/disk-space.ts";

/** The keys that name external volumes. */
const KEYS = ["modelVolume", "gatewayUsageVolume"] as const;

type VolumeConfig = Pick<
  StackConfig,
  (typeof KEYS)[number] | "gatewayBaseImage" | "dockerHost" | "dockerCertPath"
>;

/**
 * Rejects a config whose external volumes do not exist (the engine would create them, and nothing would remove them), or
 * whose model volume Ollama cannot write to.
 *
 * @param ollama its container; while it runs with the volume, the check is skipped
 */
export async function requireVolumes(config: VolumeConfig, ollama: string): Promise<void> {
  for (const key of KEYS) {
    const name = config[key];
    if (name === "" || (await volumeExists({ name, engine: config }).catch(cannotInspect(name, key))))
      continue;
    throw new pulumi.RunError(
      `The volume ${name} (${key}) does not exist. Create it with: docker volume create ${name}`,
    );
  }
  const { modelVolume: source, gatewayBaseImage: image } = config;
  if (source === "" || (await runsWith(source, ollama, config))) return;
  const mounted = { type: "volume", source, image, engine: config } as const;
  const error = await writeErrorInContainer(mounted).catch((reason: unknown) => {
    if (!(reason instanceof EngineError)) throw reason;
    throw new pulumi.RunError(`The volume ${source} (modelVolume) cannot be mounted: ${reason.message}`);
  });
  if (error === undefined || error === null) return;
  throw new pulumi.RunError(
    `Ollama's container cannot write to the volume ${source} (modelVolume) (${error}), because its root user may not write other users' files. ` +
      `Make root its owner: docker run --rm --mount type=volume,source=${source},target=/models busybox chown -R 0:0 /models`,
  );
}

function cannotInspect(name: string, key: string) {
  return (error: unknown): never => {
    if (!(error instanceof EngineError)) throw error;
    throw new pulumi.RunError(
      `The volume ${name} (${key}) cannot be inspected: ${error.message}. Run the command again when the engine responds.`,
    );
  };
}

async function runsWith(volume: string, container: string, engine: EngineAddress): Promise<boolean> {
  const filters = ["--filter", `volume=${volume}`, "--filter", "status=running"];
  const names = await queryEngine(["container", "ls", "--format", "{{.Names}}", ...filters], { engine });
  return names.split("\n").includes(container);
}
