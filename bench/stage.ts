import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SetupError } from "../host/exec.ts";
import { printLine } from "../host/progress.ts";
import { leaveGatewayCore } from "./cores.ts";
import { type ClosedResult, type Faults, Load, type LoadRequest } from "./load-process.ts";
import type { Peer } from "./peers/peer.ts";
import { publish } from "./results.ts";

/** Clients that send requests at once, unless latency is measured. */
export const CONNECTIONS = 16;

/** Time for a process to become idle after its start or after a load. */
export const SETTLE_MS = 2000;

export interface Plan {
  /** Duration of each load. */
  readonly seconds: number;
  /** How long a peer serves buffered responses, and then streams, before the measurement. */
  readonly warmUpSeconds: number;
  readonly settleMs: number;
  /** Numbers of streams that are held open at once to measure memory. */
  readonly openStreams: readonly (200 | 1000)[];
  /** Whether to measure what happens to the requests of clients that disconnect. */
  readonly disconnects: boolean;
}

/** The source of responses: a peer, or the fake Ollama itself. */
type Source = Pick<Peer, "name" | "isOurs">;

/** The environment of a measurement: the load generator, a folder, and the incorrect responses so far. */
export class Stage {
  readonly load: Load;
  readonly plan: Plan;
  /** For the files that peers write. */
  readonly folder: string;
  /** Descriptions of all incorrect responses. */
  readonly faults: string[] = [];
  /** Those of the gateway or of the benchmark itself. */
  readonly #ownFaults: string[] = [];

  constructor(load: Load, plan: Plan, folder: string) {
    this.load = load;
    this.plan = plan;
    this.folder = folder;
  }

  /** Sends requests for the given time, each connection the next one as soon as it has a response. */
  async run(
    source: Source,
    request: LoadRequest,
    connections: number,
    seconds = this.plan.seconds,
  ): Promise<ClosedResult> {
    const result = await this.load.closed(request, connections, seconds);
    if (Object.keys(result.faults).length > 0) {
      const kind = request.stream ? "streams" : "buffered responses";
      this.addFault(source, `${kind} of ${request.model}`, result.faults);
    }
    return result;
  }

  /** Prints and records incorrect responses. */
  addFault({ name, isOurs }: Source, what: string, faults: Faults): void {
    const counts = Object.entries(faults).map(([fault, count]) => `${count} × ${fault}`);
    const line = `${name}, ${what}${counts.length === 0 ? "" : `: ${counts.join("; ")}`}`;
    printLine(line);
    this.faults.push(line);
    if (isOurs) this.#ownFaults.push(line);
  }

  /**
   * Prints the results and, if requested, writes them to RESULTS.md or another file. An incorrect response of another peer
   * is a result; one of the gateway is a defect, with which nothing is written.
   *
   * @throws SetupError if the gateway sent incorrect responses
   */
  async publish(name: string, results: string, write: boolean, path?: string): Promise<void> {
    const isCorrect = this.#ownFaults.length === 0;
    await publish(name, results, write && isCorrect, path);
    if (!isCorrect)
      throw new SetupError(
        `the gateway's responses were incorrect${write ? ", so RESULTS.md was not written" : ""}: ${this.#ownFaults.join("; ")}`,
      );
  }
}

/** Starts the load generator, moves this process off the gateway's core, runs the work and cleans up. */
export async function withStage(plan: Plan, work: (stage: Stage) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-bench-"));
  try {
    const load = await Load.start();
    try {
      leaveGatewayCore();
      await work(new Stage(load, plan, folder));
    } finally {
      await load.stop();
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
