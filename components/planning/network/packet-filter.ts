import { execFile } from "node:child_process";
import { promisify } from "node:util";

/** Commands that make a host drop packets from other hosts to containers that bypass published ports. */
export const dropCommands = [
  // Forwarded to a container network from outside, and neither for a published port nor a reply.
  "iptables -I DOCKER-USER ! -i br-+ -o br-+ -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
  // Addressed to loopback from another host: Docker would forward it to a port published there.
  "iptables -t raw -I PREROUTING ! -i lo -d 127.0.0.0/8 -j DROP",
] as const;

/** The rules of two chains, as printed by `iptables -S`. */
export interface PacketFilter {
  readonly dockerUser: string;
  readonly rawPrerouting: string;
}

const dropsForwarded =
  /^! -i br-\+ -o br-\+( -m conntrack ! --ctstate (RELATED|ESTABLISHED|DNAT|,)+)? -j DROP$/;
const dropsToLoopback = /^(! -i lo -d 127\.0\.0\.0\/8|-d 127\.0\.0\.0\/8 ! -i lo) -j DROP$/;

/** Whether a host already has the rules of `dropCommands`. */
export function dropsForeignPackets({ dockerUser, rawPrerouting }: PacketFilter): boolean {
  return (
    comesFirst(dockerUser, "DOCKER-USER", dropsForwarded) &&
    comesFirst(rawPrerouting, "PREROUTING", dropsToLoopback)
  );
}

/** Whether a chain contains the rule, with no accepting rule before it. */
function comesFirst(chain: string, name: string, rule: RegExp): boolean {
  for (const line of chain.split("\n")) {
    if (!line.startsWith(`-A ${name} `)) continue;
    const rest = line.slice(`-A ${name} `.length).trim();
    if (rule.test(rest)) return true;
    if (/(^| )(-j (ACCEPT|RETURN)\b|-g )/.test(rest)) return false;
  }
  return false;
}

/** The packet filter of this machine; undefined if it cannot be read, which requires root. */
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
