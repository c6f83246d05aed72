import { setTimeout as sleep } from "node:timers/promises";
import type { FastifyBaseLogger } from "fastify";
import type { Config } from "../config/config.ts";
import { ActiveSlice } from "./active-slice.ts";
import { ApiServer } from "./api-server.ts";
import { LeaseElection } from "./lease-election.ts";

const LONGEST_PAUSE_MS = 2_000;
const LONGEST_REQUEST_MS = 5_000;
// How often a gateway that hands over looks whether another one has taken over.
const LOOK_MS = 200;

/** How long a gateway that leaves tries to hand over. Each time is looked at before a try, which then ends by itself. */
export interface HandOverTimes {
  /** To give its Lease up. */
  readonly releaseMs: number;
  /** From then on, for another gateway to take over. */
  readonly takeoverMs: number;
}

// However short the Lease counts. With the last tries, 36 s at most: the pod's grace period has room for that.
const HAND_OVER: HandOverTimes = { releaseMs: 10_000, takeoverMs: 10_000 };

type Logger = Pick<FastifyBaseLogger, "info" | "warn">;

export interface StandbyOptions {
  /** Whether this gateway can serve: not while it starts, and not when it is about to go. */
  readonly canServe: () => boolean;
  readonly logger: Logger;
  readonly handOver?: HandOverTimes | undefined;
}

/** One gateway is active, and the others stand by until it leaves or is lost. */
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
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, durationMs / 7.5);
    this.#api = new ApiServer({
      host: config.KUBERNETES_SERVICE_HOST,
      port: config.KUBERNETES_SERVICE_PORT,
      accountFolder: config.SERVICE_ACCOUNT_FOLDER,
      timeoutMs: Math.min(LONGEST_REQUEST_MS, durationMs / 3),
    });
    const pod = { name: config.POD_NAME, uid: config.POD_UID, address: config.POD_IP };
    const now = () => performance.now();
    this.#election = new LeaseElection(this.#api, { namespace, name, identity: pod.name, durationMs, now });
    this.#slice = new ActiveSlice(this.#api, { namespace, service: name, pod, port: config.PORT });
  }

  /** Whether requests are this gateway's to serve. */
  get isActive(): boolean {
    return this.#isHere && this.#election.isHeld;
  }

  /** Whether another gateway is the active one. */
  get isReplaced(): boolean {
    return !this.#election.isHeld && this.#election.isHeldByAnother;
  }

  /** How often this gateway has become active, or has ceased to be. */
  get changes(): number {
    return this.#changes;
  }

  start(): void {
    this.#loop = this.#run();
  }

  /**
   * Lets another gateway become active, and waits until requests are sent there, or until that has taken too long.
   *
   * @param say is called with what went wrong
   */
  async handOver(say: (line: string) => void): Promise<void> {
    const { releaseMs, takeoverMs } = this.#options.handOver ?? HAND_OVER;
    const releaseUntil = performance.now() + releaseMs;
    this.#isHandingOver = true;
    try {
      await this.#step;
      if (!(await this.#repeat(releaseUntil, () => this.#election.release()))) {
        say(
          "this gateway could not give its Lease up: the API server of the cluster is away or refuses that",
        );
        return;
      }
      // A slow API server delays the release, and no less the gateway that takes over.
      const takeoverUntil = performance.now() + takeoverMs;
      if (await this.#repeat(takeoverUntil, async () => !(await this.#slice.isHere()))) return;
      say(
        "this gateway gave its Lease up, but no other gateway took over: there is none that could, or the API server " +
          "of the cluster is away",
      );
    } finally {
      this.#isHere = false;
      this.#isHandingOver = false;
      this.#logChange();
    }
  }

  /** Tries until it is done or the time is over, and once at least. @returns whether it is done */
  async #repeat(untilMs: number, isDone: () => Promise<boolean>): Promise<boolean> {
    do {
      try {
        if (await isDone()) return true;
      } catch (error) {
        this.#report(error);
      }
      await sleep(LOOK_MS);
    } while (performance.now() < untilMs);
    return false;
  }

  /** Leaves at once. */
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
      // Not in step with the others.
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

  /** Logs what goes wrong once, and that it no longer does. */
  #report(error?: unknown): void {
    const problem = error === undefined ? "" : messageOf(error);
    const { problem: before } = this.#logged;
    if ((problem === "") === (before === "")) return;
    this.#logged.problem = problem;
    const { logger } = this.#options;
    if (problem === "") logger.info("the API server of the cluster responds again");
    else logger.warn({ error: problem }, "the Lease of the active gateway cannot be followed");
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown error";
}

/** Undefined: this gateway is active whatever others do. */
export function standbyOf(config: Config, options: StandbyOptions): Standby | undefined {
  return config.STANDBY_LEASE === undefined ? undefined : new Standby(config, options);
}
