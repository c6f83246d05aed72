import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

// Until every gateway has noticed that the pod's address is gone: the time to live of a cluster's DNS, which is 5 to
// 30 s, is not the gateway's to know. Connections that it opens until then are seen as any other.
const quietSeconds = 10;
const pollMs = 500;

const established = "01";
/** Loopback as the kernel writes it, in the byte order of this machine: IPv4, IPv4 inside IPv6, IPv6. */
const loopback = /^(0100007F|0000000000000000FFFF00000100007F|00000000000000000000000001000000)$/;

/** How many connections from other machines a port has, in the text of the kernel's tables. Exported for its test. */
export function countConnections(table: string, port: number): number {
  const local = port.toString(16).toUpperCase().padStart(4, "0");
  return table.split("\n").filter((line) => {
    const [, own = "", other = "", state] = line.trim().split(/\s+/);
    const [address = ""] = other.split(":");
    return state === established && own.endsWith(`:${local}`) && !loopback.test(address);
  }).length;
}

/** Resolves when nobody has had a connection to the port for a while, or after so many seconds. */
export async function drained(port: number, withinSeconds: number): Promise<void> {
  const read = () => ["/proc/net/tcp", "/proc/net/tcp6"].map((file) => readTable(file)).join("\n");
  const until = Date.now() + withinSeconds * 1000;
  let busyAt = Date.now();
  while (Date.now() < until && Date.now() - busyAt < quietSeconds * 1000) {
    await sleep(pollMs);
    if (countConnections(read(), port) > 0) busyAt = Date.now();
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
