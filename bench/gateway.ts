import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SetupError } from "../host/exec.ts";
import { printLine } from "../host/progress.ts";
import { leaveGatewayCore } from "./cores.ts";
import { Load } from "./load-process.ts";
import { measure, type Measured, measureDirect, type Plan, type Stage } from "./measures.ts";
import { type BenchOptions, positive } from "./options.ts";
import { bare } from "./peers/bare.ts";
import { litellm } from "./peers/litellm.ts";
import { nginx } from "./peers/nginx.ts";
import { gatewayAt, ours } from "./peers/ours.ts";
import type { Peer } from "./peers/peer.ts";
import { portkey } from "./peers/portkey.ts";
import { type Column, report } from "./report.ts";
import { publish } from "./results.ts";
import { added, summarize } from "./summary.ts";

const peers: readonly Peer[] = [ours, bare, nginx, portkey, litellm];

// Until a compiler that compiles while the program runs has done most of its work, on the core that serves as well.
const WARM_UP_SECONDS = 8;
const SETTLE_MS = 2000;

/** The gateway and its peers, side by side. */
export async function benchGateway(options: BenchOptions): Promise<void> {
  const { quick = false, write = false } = options;
  const named = options.only === undefined ? (quick ? [ours] : peers) : choose(options.only);
  const chosen = options.before === undefined ? named : withBefore(named, gatewayAt(options.before));
  const rounds = positive("rounds", options.rounds ?? (quick ? "1" : "3"));
  const seconds = positive("seconds", options.seconds ?? (quick ? "2" : "3"));
  const plan: Plan = {
    seconds,
    warmUpSeconds: quick ? seconds : WARM_UP_SECONDS,
    // Not longer than the loads are.
    settleMs: Math.min(SETTLE_MS, seconds * 1000),
    openStreams: quick ? [200] : [200, 1000],
    leaving: !quick,
  };

  const abouts = new Map<Peer, string>();
  for (const peer of chosen) abouts.set(peer, await peer.prepare());
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-bench-"));
  const faults: string[] = [];
  const load = await Load.start();
  leaveGatewayCore();
  const stage: Stage = {
    load,
    folder,
    plan,
    fault: (what, counts) => {
      const why = Object.entries(counts).map(([what, count]) => `${count} × ${what}`);
      const line = why.length === 0 ? what : `${what}: ${why.join("; ")}`;
      printLine(line);
      faults.push(line);
    },
  };
  try {
    const direct: Measured[] = [];
    const measured = new Map<Peer, Measured[]>(chosen.map((peer) => [peer, []]));
    for (let round = 1; round <= rounds; round += 1) {
      printLine(`round ${round} of ${rounds}: direct`);
      const without = await measureDirect(stage);
      direct.push(without);
      for (const [peer, results] of measured) {
        printLine(`round ${round} of ${rounds}: ${peer.name}`);
        results.push(added(await measure(peer, stage), without));
      }
    }
    const columns: Column[] = [
      ...[...measured].map(([peer, results]) => ({
        name: peer.name,
        about: abouts.get(peer) ?? "",
        summaries: summarize(results),
      })),
      { name: "direct", about: "the fake Ollama with nothing in between", summaries: summarize(direct) },
    ];
    await publish("gateway", report({ columns, rounds, seconds, faults }), write);
    // What a peer does wrong is a result; what this gateway does wrong is a defect.
    if (faults.some((fault) => /^(ours|direct)\b/.test(fault))) process.exitCode = 1;
  } finally {
    await load.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Next to this gateway, so that both are measured at the same speed of the machine. */
function withBefore(named: readonly Peer[], before: Peer): Peer[] {
  return named.toSpliced(named.indexOf(ours) + 1, 0, before);
}

function choose(names: string): Peer[] {
  return names.split(",").map((name) => {
    const peer = peers.find((each) => each.name.toLowerCase() === name.trim().toLowerCase());
    if (peer === undefined)
      throw new SetupError(
        `--only ${names}: there is no peer "${name}"; there are ${peers.map((each) => each.name).join(", ")}`,
      );
    return peer;
  });
}
