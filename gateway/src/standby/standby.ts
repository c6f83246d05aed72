import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyBaseLogger } from "fastify";
import type { Config } from "../config/config.ts";
import { ActiveSlice } from "./active-slice.ts";
import { ApiServer } from "./api-server.ts";
import { LeaseElection } from "./lease-election.ts";

const MAX_PAUSE_MS = 2_000;
const MAX_REQUEST_MS = 5_000;
// Interval of the checks whether another gateway has taken over.
const POLL_MS = 200;

/** Timeouts of a handover. Checked before each attempt, which has its own timeout. */
export interface HandOverTimes {
  /** For releasing the Lease. */
  readonly releaseMs: number;
  /** For another gateway to take over, counted from the release. */
  readonly takeoverMs: number;
}

// With the last attempts, 36 s at most, which fits into the pod's grace period.
const HAND_OVER: HandOverTimes = { releaseMs: 10_000, takeoverMs: 10_000 };

type Logger = Pick<FastifyBaseLogger, "info" | "warn">;

interface StandbyOptions {
  /** Whether this gateway can serve: false while it starts or drains. */
  readonly canServe: () => boolean;
  readonly logger: Logger;
  readonly handOver?: HandOverTimes | undefined;
}

/** Keeps one gateway active while the others stand by until it leaves or is lost. */
export class Standby {
  readonly #api: ApiServer;
  readonly #election: LeaseElection;
  readonly #slice: ActiveSlice;
  readonly #options: StandbyOptions;
  readonly #pauseMs: number;
  readonly #stopped = new AbortController();
  #step: Promise<void> = Promise.resolve();
  #loop: Promise<void> = Promise.resolve();
  #isHere = false;
  #isHandingOver = false;
  #logged = { active: false, problem: "" };
  #changes = 0;

  constructor(config: Config, options: StandbyOptions) {
    const { STANDBY_LEASE: lease, STANDBY_LEASE_DURATION_MS: durationMs } = config;
    if (lease === undefined) throw new Error("STANDBY_LEASE is empty");
    const { namespace, name } = lease;
    this.#options = options;
    this.#pauseMs = Math.min(MAX_PAUSE_MS, durationMs / 7.5);
    this.#api = new ApiServer({
      host: config.KUBERNETES_SERVICE_HOST,
      port: config.KUBERNETES_SERVICE_PORT,
      accountFolder: config.SERVICE_ACCOUNT_FOLDER,
      timeoutMs: Math.min(MAX_REQUEST_MS, durationMs / 3),
    });
    const pod = { name: config.POD_NAME, uid: config.POD_UID, address: config.POD_IP };
    const now = () => performance.now();
    this.#election = new LeaseElection(this.#api, { namespace, name, identity: pod.name, durationMs, now });
    this.#slice = new ActiveSlice(this.#api, { namespace, service: name, pod, port: config.PORT });
  }

  /** Whether this gateway is the active one. */
  get isActive(): boolean {
    return this.#isHere && this.#election.isHeld;
  }

  /** Whether another gateway is the active one. */
  get isReplaced(): boolean {
    return !this.#election.isHeld && this.#election.isHeldByAnother;
  }

  /** Number of times this gateway has become active or ceased to be. */
  get changes(): number {
    return this.#changes;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /**
   * Lets another gateway become active, and waits for it until the timeouts.
   *
   * @param report called with a description of a failure
   */
  async handOver(report: (line: string) => void): Promise<void> {
    const { releaseMs, takeoverMs } = this.#options.handOver ?? HAND_OVER;
    const releaseUntil = performance.now() + releaseMs;
    this.#isHandingOver = true;
    try {
      await this.#step;
      if (!(await this.#repeat(releaseUntil, () => this.#election.release()))) {
        report(
          "cannot release the Lease of this gateway: the cluster's API server is unreachable or refuses",
        );
        return;
      }
      // A slow API server delays both the release and the takeover, so the timeout starts only now.
      const takeoverUntil = performance.now() + takeoverMs;
      if (await this.#repeat(takeoverUntil, async () => !(await this.#slice.isHere()))) return;
      report(
        "released the Lease, but no other gateway took over: none is ready, or the cluster's API server " +
          "is unreachable",
      );
    } finally {
      this.#isHere = false;
      this.#isHandingOver = false;
      this.#logChange();
    }
  }

  /**
   * Repeats until done or the time is over, but at least once.
   *
   * @returns whether it is done
   */
  async #repeat(untilMs: number, isDone: () => Promise<boolean>): Promise<boolean> {
    do {
      try {
        if (await isDone()) return true;
      } catch (error) {
        this.#report(error);
      }
      await sleep(POLL_MS);
    } while (performance.now() < untilMs);
    return false;
  }

  /** Stops, and releases the Lease. */
  async close(): Promise<void> {
    this.#stopped.abort();
    await this.#loop;
    if (this.#election.isHeld) {
      await this.#election.release().catch((error: unknown) => {
        this.#report(error);
      });
    }
    this.#isHere = false;
    this.#logChange();
    this.#api.close();
  }

  async #run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      this.#step = this.#tryStep();
      await this.#step;
      // Jitter, so that gateways do not poll in step.
      const pauseMs = this.#pauseMs * (1 + Math.random() / 5);
      await sleep(pauseMs, undefined, { ref: false, signal: this.#stopped.signal }).catch(() => undefined);
    }
  }

  async #tryStep(): Promise<void> {
    const isAllowed = () => !this.#isHandingOver && this.#options.canServe();
    try {
      await this.#election.step(isAllowed);
      const isOwn = () => this.#election.isHeld && isAllowed();
      this.#isHere = isOwn() && (await this.#slice.pointHere(isOwn));
      this.#report();
    } catch (error) {
      this.#report(error);
    }
    this.#logChange();
  }

  #logChange(): void {
    const { isActive } = this;
    if (isActive === this.#logged.active) return;
    this.#logged.active = isActive;
    this.#changes += 1;
    this.#options.logger.info(isActive ? "this gateway is active" : "this gateway stands by");
  }

  /** Logs the first failure, and the recovery. */
  #report(error?: unknown): void {
    const problem = error === undefined ? "" : messageOf(error);
    const { problem: before } = this.#logged;
    if ((problem === "") === (before === "")) return;
    this.#logged.problem = problem;
    const { logger } = this.#options;
    if (problem === "") logger.info("the cluster's API server is reachable again");
    else logger.warn({ error: problem }, "cannot read or renew the Lease");
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown error";
}

/** Undefined if this gateway is active regardless of others. */
export function createStandby(config: Config, options: StandbyOptions): Standby | undefined {
  return config.STANDBY_LEASE === undefined ? undefined : new Standby(config, options);
}
