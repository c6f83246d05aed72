import { z } from "zod";
import type { NeighbourAccess } from "../../config/keys.ts";
import { isRemote } from "../../../engine/docker-cli.ts";
import { dropCommands, dropsForeignPackets, type PacketFilter } from "./packet-filter.ts";

/** `docker info`, as far as it concerns this. */
export const engineNetworking = z.object({
  ServerVersion: z.string(),
  OSType: z.string().nullish(),
  OperatingSystem: z.string().nullish(),
  SecurityOptions: z.array(z.string()).nullish(),
});
export type EngineNetworking = z.output<typeof engineNetworking>;

const CLOSED_SINCE = 28;
/** What engines say that are built from moby's Go module; it begins with Docker 29. */
const GO_MODULE = 2;

/** Whether the engine itself leaves its containers open to neighbours. */
function leavesOpen({ ServerVersion, OSType, OperatingSystem, SecurityOptions }: EngineNetworking): boolean {
  const major = Number.parseInt(ServerVersion, 10);
  if (!(major < CLOSED_SINCE) || major === GO_MODULE || (OSType ?? "linux") !== "linux") return false;
  // Their containers are in a network that nothing but the machine itself leads to.
  if (OperatingSystem?.includes("Docker Desktop")) return false;
  return !SecurityOptions?.some((option) => option.includes("rootless"));
}

/**
 * @param host the engine's address; empty for this machine's
 * @param readFilter reads this machine's packet filter
 */
export async function neighbourAccess(
  engine: EngineNetworking,
  host: string,
  readFilter: () => Promise<PacketFilter | undefined>,
): Promise<NeighbourAccess> {
  if (!leavesOpen(engine)) return "closed";
  const filter = isRemote(host) ? undefined : await readFilter();
  if (filter === undefined) return "unknown";
  return dropsForeignPackets(filter) ? "closed" : "open";
}

/** What to say about an engine whose containers are open to neighbours, or may be. */
export function neighbourWarning(
  { ServerVersion }: EngineNetworking,
  access: NeighbourAccess,
): string | undefined {
  if (access === "closed") return undefined;
  const unless =
    access === "unknown" ? ", unless its host drops such packets, which cannot be read from here" : "";
  return (
    `Docker ${ServerVersion} lets other hosts of its network reach containers at their own addresses, and ports that ` +
    `are published on 127.0.0.1 only (moby#45610)${unless}. Update the engine to 28 or newer, or run on its host, as ` +
    `root: ${dropCommands.join(" && ")} (docs/security.md says how to keep that)`
  );
}
