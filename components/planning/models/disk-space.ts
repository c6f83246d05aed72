import { stat, statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { EngineError, queryEngine, type EngineAddress } from "../../../engine/docker-cli.ts";

export interface ModelVolume {
  readonly name: string;
  /** The container that mounts it, and the mount path. */
  readonly container: string;
  readonly path: string;
  readonly engine: EngineAddress;
  /** Name of the engine's host, and the engine's folder there. */
  readonly host: { readonly name: string; readonly root: string };
}

interface InspectedVolume {
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly Options: Readonly<Record<string, string>> | null;
}

/** Whether the engine has a volume of that name. @throws EngineError if it does not respond */
export async function volumeExists(volume: Pick<ModelVolume, "name" | "engine">): Promise<boolean> {
  return (await inspectVolume(volume)) !== undefined;
}

/**
 * Free bytes on the disk of a volume, existing or not; undefined if unknown. `df` in the running container comes first,
 * because it works for remote engines and for any kind of volume. Otherwise, on a local engine, the file system counts.
 */
export async function freeBytes(modelVolume: ModelVolume): Promise<number | undefined> {
  const inContainer = await freeInContainer(modelVolume);
  if (inContainer !== undefined) return inContainer;
  const { host } = modelVolume;
  const volume = await inspectVolume(modelVolume).catch(() => "unknown" as const);
  if (host.name !== hostname() || volume === "unknown") return undefined;
  if (volume === undefined) return await freeAt(host.root);
  if (volume.Driver !== "local") return undefined;
  const { type = "none", device = "" } = volume.Options ?? {};
  if (volume.Options === null || Object.keys(volume.Options).length === 0) {
    // Only root may read the folder of the volumes; it is below the engine's root folder.
    return (await freeAt(volume.Mountpoint)) ?? (await freeAt(host.root));
  }
  if (type === "none") return await freeAt(device);
  // Another file system, which is mounted only while a container uses it.
  return (await isMounted(volume.Mountpoint)) ? await freeAt(volume.Mountpoint) : undefined;
}

async function freeInContainer({ container, path, engine }: ModelVolume): Promise<number | undefined> {
  try {
    const text = await queryEngine(["container", "exec", container, "df", "-Pk", path], { engine });
    // The last line: device, total kilobytes, used, free, ...
    const free = Number(text.trim().split("\n").at(-1)?.trim().split(/\s+/)[3]);
    return Number.isSafeInteger(free) ? free * 1024 : undefined;
  } catch {
    return undefined;
  }
}

async function inspectVolume({
  name,
  engine,
}: Pick<ModelVolume, "name" | "engine">): Promise<InspectedVolume | undefined> {
  try {
    const [volume] = JSON.parse(
      await queryEngine(["volume", "inspect", name], { engine }),
    ) as InspectedVolume[];
    return volume;
  } catch (error) {
    if (error instanceof EngineError && /no such volume/i.test(error.message)) return undefined;
    throw error;
  }
}

async function freeAt(path: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

async function isMounted(path: string): Promise<boolean> {
  try {
    const [own, parent] = await Promise.all([stat(path), stat(dirname(path))]);
    return own.dev !== parent.dev;
  } catch {
    return false;
  }
}
