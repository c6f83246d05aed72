import { SetupError } from "../host/exec.ts";
import { printLine } from "../host/progress.ts";
import type { Measured } from "./measures.ts";
import { type BenchOptions, positive } from "./options.ts";
import { measureDirect, measurePeer } from "./peer-measurements.ts";
import { bare } from "./peers/bare.ts";
import { litellm } from "./peers/litellm.ts";
import { nginx } from "./peers/nginx.ts";
import { gatewayAt, ours } from "./peers/ours.ts";
import type { Peer } from "./peers/peer.ts";
import { portkey } from "./peers/portkey.ts";
import { type Column, report } from "./report.ts";
import { type Plan, SETTLE_MS, withStage } from "./stage.ts";
import { withAdded, summarize } from "./summary.ts";

const peers: readonly Peer[] = [ours, bare, nginx, portkey, litellm];

// Node.js compiles code while it runs, on the core that also serves; most of that is done by then.
const WARM_UP_SECONDS = 8;

/** Measures the gateway and its peers side by side. */
export async function benchGateway(options: BenchOptions): Promise<void> {
  const { quick = false, write = false } = options;
  const named = options.only === undefined ? (quick ? [ours] : peers) : choose(options.only);
  const chosen = options.before === undefined ? named : withBefore(named, gatewayAt(options.before));
  const rounds = positive("rounds", options.rounds ?? (quick ? "1" : "3"));
  const seconds = positive("seconds", options.seconds ?? (quick ? "2" : "3"));
  const plan: Plan = {
    seconds,
    warmUpSeconds: quick ? seconds : WARM_UP_SECONDS,
    // No longer than a load.
    settleMs: Math.min(SETTLE_MS, seconds * 1000),
    openStreams: quick ? [200] : [200, 1000],
    disconnects: !quick,
  };

  const descriptions = new Map<Peer, string>();
  for (const peer of chosen) descriptions.set(peer, await peer.prepare());
  await withStage(plan, async (stage) => {
    const direct: Measured[] = [];
    const measured = new Map<Peer, Measured[]>(chosen.map((peer) => [peer, []]));
    for (let round = 1; round <= rounds; round += 1) {
      printLine(`round ${round} of ${rounds}: direct`);
      const without = await measureDirect(stage);
      direct.push(without);
      for (const [peer, results] of measured) {
        printLine(`round ${round} of ${rounds}: ${peer.name}`);
        results.push(withAdded(await measurePeer(peer, stage), without));
      }
    }
    const columns: Column[] = [
      ...[...measured].map(([peer, results]) => ({
        name: peer.name,
        description: descriptions.get(peer) ?? "",
        summaries: summarize(results),
      })),
      {
        name: "direct",
        description: "the fake Ollama with nothing in between",
        summaries: summarize(direct),
      },
    ];
    await stage.publish("gateway", report({ columns, rounds, seconds, faults: stage.faults }), write);
  });
}

/** Puts the earlier commit next to this gateway, so that both are measured at the same speed of the machine. */
function withBefore(named: readonly Peer[], before: Peer): Peer[] {
  return named.toSpliced(named.indexOf(ours) + 1, 0, before);
}

function choose(names: string): Peer[] {
  return names.split(",").map((name) => {
    const peer = peers.find((each) => each.name.toLowerCase() === name.trim().toLowerCase());
    if (peer === undefined)
      throw new SetupError(
        `--only ${names}: there is no peer "${name}"; it must be one of ${peers.map((each) => each.name).join(", ")}`,
      );
    return peer;
  });
}
