import { stat, statfs } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname } from "node:path";
import { askEngine, type EngineAddress } from "../../../engine/docker-cli.ts";

export interface ModelVolume {
  readonly name: string;
  /** The container that has it mounted while it runs, and where. */
  readonly container: string;
  readonly path: string;
  readonly engine: EngineAddress;
}

interface InspectedVolume {
  readonly Driver: string;
  readonly Mountpoint: string;
  readonly Options: Readonly<Record<string, string>> | null;
}

/** Whether the engine has a volume of that name. */
export async function volumeExists(volume: Pick<ModelVolume, "name" | "engine">): Promise<boolean> {
  return (await inspectVolume(volume)) !== undefined;
}

/**
 * Bytes that are free where the engine keeps a volume, or will keep it; undefined when that cannot be known. The
 * container comes first: it sees what the volume really is, wherever the engine runs. Where it has no `df`, or does
 * not run yet, the file system is looked at if the engine is on this machine.
 */
export async function freeBytes(place: ModelVolume): Promise<number | undefined> {
  const told = await freeInContainer(place);
  if (told !== undefined) return told;
  const [host, volume] = await Promise.all([hostOf(place.engine), inspectVolume(place)]);
  if (host?.name !== hostname()) return undefined;
  if (volume === undefined) return await freeAt(host.root);
  if (volume.Driver !== "local") return undefined;
  const { type = "none", device = "" } = volume.Options ?? {};
  if (volume.Options === null || Object.keys(volume.Options).length === 0) {
    // Only root may look into the folder of the volumes; they are where the engine keeps everything.
    return (await freeAt(volume.Mountpoint)) ?? (await freeAt(host.root));
  }
  if (type === "none") return await freeAt(device);
  // Another file system: it is there only while a container uses it.
  return (await isMounted(volume.Mountpoint)) ? await freeAt(volume.Mountpoint) : undefined;
}

async function freeInContainer({ container, path, engine }: ModelVolume): Promise<number | undefined> {
  try {
    const text = await askEngine(["container", "exec", container, "df", "-Pk", path], { engine });
    // The last line: device, kilobytes in all, used, free, ...
    const free = Number(text.trim().split("\n").at(-1)?.trim().split(/\s+/)[3]);
    return Number.isSafeInteger(free) ? free * 1024 : undefined;
  } catch {
    return undefined;
  }
}

async function hostOf(engine: EngineAddress): Promise<{ name: string; root: string } | undefined> {
  try {
    const text = await askEngine(["info", "--format", "{{.Name}}\t{{.DockerRootDir}}"], { engine });
    const [name = "", root = ""] = text.trim().split("\t");
    return { name, root };
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
      await askEngine(["volume", "inspect", name], { engine }),
    ) as InspectedVolume[];
    return volume;
  } catch {
    return undefined;
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
