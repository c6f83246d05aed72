import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

// A gateway that still knows the pod's address keeps a connection to it, and opens one before it sends a request.
const quietMs = 3000;
const pollMs = 500;

const established = "01";
/** Loopback as the kernel writes it, in the byte order of this machine: IPv4, IPv4 inside IPv6, IPv6. */
const loopback = /^(0100007F|0000000000000000FFFF00000100007F|00000000000000000000000001000000)$/;

/** The connections from other machines to a port, in the text of the kernel's tables. Exported for its test. */
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
 * Resolves when nobody has kept a connection to the port for a while, or after so many seconds. Probes of the kubelet,
 * which go on meanwhile, open one and close it at once.
 */
export async function drained(port: number, withinSeconds: number): Promise<void> {
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
    // A kernel without IPv6 has no table of it.
    return "";
  }
}
