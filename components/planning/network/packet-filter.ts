import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** The commands that have a host drop what neighbours send to containers past their published ports. */
export const dropCommands = [
  // Forwarded to a network of containers from elsewhere, and neither addressed to a published port nor a response.
  "iptables -I DOCKER-USER ! -i br-+ -o br-+ -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
  // Addressed to loopback from another host: Docker would forward it to what is published there.
  "iptables -t raw -I PREROUTING ! -i lo -d 127.0.0.0/8 -j DROP",
] as const;

/** Rules of two chains, as `iptables -S` prints them. */
export interface PacketFilter {
  readonly dockerUser: string;
  readonly rawPrerouting: string;
}

const dropsForwarded =
  /^! -i br-\+ -o br-\+( -m conntrack ! --ctstate (RELATED|ESTABLISHED|DNAT|,)+)? -j DROP$/;
const dropsToLoopback = /^(! -i lo -d 127\.0\.0\.0\/8|-d 127\.0\.0\.0\/8 ! -i lo) -j DROP$/;

/** Whether a host drops what `dropCommands` have it drop. */
export function dropsForeignPackets({ dockerUser, rawPrerouting }: PacketFilter): boolean {
  return (
    comesFirst(dockerUser, "DOCKER-USER", dropsForwarded) &&
    comesFirst(rawPrerouting, "PREROUTING", dropsToLoopback)
  );
}

/** Whether a chain has the rule, and none before it that lets packets pass. */
function comesFirst(chain: string, name: string, rule: RegExp): boolean {
  for (const line of chain.split("\n")) {
    if (!line.startsWith(`-A ${name} `)) continue;
    const rest = line.slice(`-A ${name} `.length).trim();
    if (rule.test(rest)) return true;
    if (/(^| )(-j (ACCEPT|RETURN)\b|-g )/.test(rest)) return false;
  }
  return false;
}

/** The packet filter of this machine; undefined when it cannot be read, for which root is needed. */
export async function readPacketFilter(): Promise<PacketFilter | undefined> {
  try {
    const [dockerUser, rawPrerouting] = await Promise.all([
      iptables("-S", "DOCKER-USER"),
      iptables("-t", "raw", "-S", "PREROUTING"),
    ]);
    return { dockerUser, rawPrerouting };
  } catch {
    return undefined;
  }
}

async function iptables(...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("iptables", ["--wait", "5", ...args], { timeout: 10_000 });
  return stdout;
}
