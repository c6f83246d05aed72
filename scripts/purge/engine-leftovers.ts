import { queryEngine, queryLines, docker, EngineError } from "../../engine/docker-cli.ts";
import { leftoverPattern, localImages } from "../../engine/names.ts";
import { registryContainer } from "../../toolchain/registry.ts";
import { removeVolume, volumeSizes } from "../stack/volumes.ts";

/** An object to purge. */
export interface Leftover {
  /** Kind, for messages: "volume", "image", ... */
  readonly kind: string;
  readonly name: string;
  /** "1.3GB". */
  readonly size: string;
  readonly remove: () => Promise<void>;
}

interface OnEngine {
  readonly leftovers: readonly Leftover[];
  /** Containers of stacks, which destroy must remove. */
  readonly running: readonly string[];
}

// It serves all stacks on the host, and belongs to none.
const registry = registryContainer;

/** Remains of one or all stacks on the engine; undefined if it does not respond. */
export async function onEngine(stack: string | undefined): Promise<OnEngine | undefined> {
  try {
    await queryEngine(["version", "--format", "{{.Server.Version}}"]);
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
  const ours = leftoverPattern(stack);
  const [containers, images, volumes] = await Promise.all([
    queryLines(["container", "ls", "--all", "--format", "{{.Names}}"]),
    queryLines(["image", "ls", "--format", "{{.Repository}}:{{.Tag}} {{.Size}}"]),
    volumeSizes(),
  ]);
  const leftovers: Leftover[] = [];
  const includesShared = stack === undefined;
  if (includesShared && containers.includes(registry))
    leftovers.push({
      kind: "container",
      name: registry,
      size: "-",
      remove: () => remove(["container", "rm", "--force", registry]),
    });
  for (const [name, size] of volumes)
    if (ours.test(name)) leftovers.push({ kind: "volume", name, size, remove: () => removeVolume(name) });
  for (const line of images) {
    const [name = "", size = ""] = line.split(" ");
    if (ours.test(name) || (includesShared && name.startsWith(localImages)))
      leftovers.push({ kind: "image", name, size, remove: () => remove(["image", "rm", name]) });
  }
  return { leftovers, running: containers.filter((name) => ours.test(name)) };
}

async function remove(command: readonly string[]): Promise<void> {
  await docker(command).catch((error: unknown) => {
    if (!/no such/i.test(String(error))) throw error;
  });
}
