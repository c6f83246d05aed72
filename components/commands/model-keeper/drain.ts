import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

// A gateway that still knows the pod's address keeps a connection to it, or opens one before it sends a request.
const quietMs = 3000;
const pollMs = 500;

const established = "01";
/** Loopback addresses in the kernel's format and this machine's byte order: IPv4, IPv4-mapped IPv6, IPv6. */
const loopback = /^(0100007F|0000000000000000FFFF00000100007F|00000000000000000000000001000000)$/;

/** Parses the kernel's tables for connections from other machines to a port. Exported for its test. */
export function connectionsTo(port: number, table: string): ReadonlySet<string> {
  const local = port.toString(16).toUpperCase().padStart(4, "0");
  const remote = table.split("\n").flatMap((line) => {
    const [, own = "", other = "", state] = line.trim().split(/\s+/);
    const [address = ""] = other.split(":");
    return state === established && own.endsWith(`:${local}`) && !loopback.test(address) ? [other] : [];
  });
  return new Set(remote);
}

/**
 * Resolves when no connection to the port has stayed open for a while, or at the timeout. The kubelet's probes, which
 * continue meanwhile, close their connections immediately.
 */
export async function waitForDrain(port: number, withinSeconds: number): Promise<void> {
  const read = () =>
    connectionsTo(port, ["/proc/net/tcp", "/proc/net/tcp6"].map((file) => readTable(file)).join("\n"));
  const until = Date.now() + withinSeconds * 1000;
  let busyAt = Date.now();
  let before: ReadonlySet<string> = new Set();
  while (Date.now() < until && Date.now() - busyAt < quietMs) {
    await sleep(pollMs);
    const now = read();
    if ([...now].some((each) => before.has(each))) busyAt = Date.now();
    before = now;
  }
}

function readTable(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // A kernel without IPv6 has no such table.
    return "";
  }
}
