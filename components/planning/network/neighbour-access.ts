import type { NeighbourAccess } from "../../config/keys.ts";
import { isRemote } from "../../../engine/docker-cli.ts";
import type { EngineInfo } from "../engine-info.ts";
import { dropCommands, dropsForeignPackets, type PacketFilter } from "./packet-filter.ts";

type EngineNetworking = Pick<EngineInfo, "ServerVersion" | "OSType" | "OperatingSystem" | "SecurityOptions">;

const CLOSED_SINCE = 28;
/** Major version reported by engines built from moby's Go module, which exists since Docker 29. */
const GO_MODULE = 2;

/** Whether the engine itself leaves its containers open to other hosts on its network. */
function leavesOpen({ ServerVersion, OSType, OperatingSystem, SecurityOptions }: EngineNetworking): boolean {
  const major = Number.parseInt(ServerVersion, 10);
  if (!(major < CLOSED_SINCE) || major === GO_MODULE || (OSType ?? "linux") !== "linux") return false;
  // Docker Desktop's containers are in a network that only the machine itself can reach.
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

/** The warning for an engine whose containers are open to other hosts, or may be. */
export function neighbourWarning(
  { ServerVersion }: EngineNetworking,
  access: NeighbourAccess,
): string | undefined {
  if (access === "closed") return undefined;
  const unless =
    access === "unknown" ? ", unless its host drops such packets, which cannot be checked from here" : "";
  return (
    `Docker ${ServerVersion} lets other hosts on its network reach containers at their own addresses, and ports that ` +
    `are published on 127.0.0.1 only (moby#45610)${unless}. Update the engine to 28 or newer, or run on its host, as ` +
    `root: ${dropCommands.join(" && ")} (docs/security.md explains how to make that permanent)`
  );
}
