import type { KeyUsage } from "../auth/key-usage.ts";
import type {
  Demand,
  SharedLimit,
  SharedLimits,
  SharedUsage,
  Taken,
  UsageChange,
} from "../auth/shared-usage.ts";
import type { StateStore, StoreUser } from "./state-store.ts";
import { ADD, RESTORE, TAKE } from "./usage-scripts.ts";

/** What is known here of a key's usage. */
interface Known {
  limits: SharedLimits;
  readonly usage: KeyUsage;
  /** Tokens that the store has not confirmed. */
  unconfirmed: number;
  /** How many of this gateway's requests the store counts as running. */
  counted: number;
}

const DAY = 86_400_000;

// Longer than a month: a budget begins with what was used of it.
const STAYS_MS = 40 * DAY;

/** What keys have used with all gateways of a stack. While the store is away, this gateway goes on with what it knew last. */
export class UsagePool implements SharedUsage, StoreUser {
  readonly #store: StateStore;
  /** By the names of keys. */
  readonly #known = new Map<string, Known>();

  constructor(store: StateStore) {
    this.#store = store;
    store.addUser(this);
  }

  get isUp(): boolean {
    return this.#store.isUp;
  }

  know(limits: SharedLimits, usage: KeyUsage): void {
    const known = this.#knownOf(limits, usage);
    known.limits = limits;
    // Tokens that the store has not confirmed are on their way.
    if (this.isUp && (!usage.isEmpty || uncounted(known) !== 0)) this.#restore(known, 0);
  }

  async take(limits: SharedLimits, usage: KeyUsage, demand: Demand): Promise<Taken | undefined> {
    const known = this.#knownOf(limits, usage);
    const { requests, enters = false, tokens } = demand;
    const { day, month } = usage;
    try {
      const [refused, reserved, ...counts] = (await this.#store.run(TAKE, this.#keys(limits), [
        this.#store.name,
        limits.requestsPerMinute ?? 0,
        limits.tokensPerMinute ?? 0,
        limits.tokensPerDay ?? 0,
        limits.tokensPerMonth ?? 0,
        Number.isFinite(limits.concurrent) ? limits.concurrent : 0,
        day.current,
        month.current,
        requests,
        Number(enters),
        Number(tokens !== undefined),
        tokens?.prompt ?? 0,
        tokens?.output ?? 0,
        STAYS_MS,
      ])) as [string, number, ...(string | number)[]];
      if (refused === "" && enters) {
        usage.concurrent += 1;
        if (Number.isFinite(limits.concurrent)) known.counted += 1;
      }
      const [used = 0, drained = 0, ofDay = 0, ofMonth = 0, underWay = 0, aside = 0] = counts.map(Number);
      usage.requests.set(used);
      usage.tokens.set(drained + known.unconfirmed);
      day.set(ofDay + known.unconfirmed);
      month.set(ofMonth + known.unconfirmed);
      usage.othersConcurrent = Math.max(0, underWay - usage.concurrent);
      const own = usage.ownReserved + (refused === "" ? reserved : 0);
      usage.othersReserved = Math.max(0, aside - own);
      return { refused: refused === "" ? undefined : (refused as SharedLimit), reserved };
    } catch {
      return undefined;
    }
  }

  add(former: SharedLimits, usage: KeyUsage, { tokens = 0, reserved = 0 }: UsageChange): void {
    const known = this.#knownOf(former, usage);
    known.unconfirmed += tokens;
    if (!this.#store.isUp) return;
    const concurrent = uncounted(known);
    if (tokens === 0 && concurrent === 0 && reserved === 0) return;
    known.counted += concurrent;
    // Its limits may have changed since the request was let in.
    const { limits } = known;
    const { day, month } = usage;
    this.#store
      .run(ADD, this.#keys(limits), [
        this.#store.name,
        limits.tokensPerMinute ?? 0,
        day.current,
        month.current,
        tokens,
        concurrent,
        reserved,
        STAYS_MS,
      ])
      .then(
        () => {
          known.unconfirmed -= tokens;
        },
        () => undefined,
      );
  }

  came(): void {
    for (const known of this.#known.values()) {
      // It comes under a new name, which has nothing yet.
      known.counted = 0;
      for (const reservation of known.usage.reservations) delete reservation.shared;
      this.#restore(known, known.unconfirmed);
    }
  }

  went(): void {
    for (const { usage } of this.#known.values()) {
      usage.othersConcurrent = 0;
      usage.othersReserved = 0;
    }
  }

  /**
   * Reports to the store what it may have lost, and what it does not count yet.
   *
   * @param missing tokens that were used while it was away
   */
  #restore(known: Known, missing: number): void {
    const { limits, usage, unconfirmed } = known;
    const { requestsPerMinute = 0, tokensPerMinute = 0 } = limits;
    const { requests, tokens, day, month } = usage;
    const before = (count: number): number => Math.max(0, count - unconfirmed);
    const concurrent = uncounted(known);
    known.counted += concurrent;
    let reserved = 0;
    for (const reservation of usage.reservations) {
      if (reservation.shared !== undefined) continue;
      reservation.shared = Math.ceil(Math.max(reservation.tokens, reservation.spent()));
      reserved += reservation.shared;
    }
    this.#store
      .run(RESTORE, this.#keys(limits), [
        this.#store.name,
        requestsPerMinute,
        tokensPerMinute,
        day.current,
        month.current,
        requests.used(requestsPerMinute),
        before(tokens.used(tokensPerMinute)),
        before(day.used),
        before(month.used),
        missing,
        concurrent,
        reserved,
        STAYS_MS,
      ])
      .then(
        () => {
          known.unconfirmed -= missing;
        },
        () => undefined,
      );
  }

  #keys({ name }: SharedLimits): string[] {
    return [this.#store.key("gateways"), this.#store.key("usage", name)];
  }

  #knownOf(limits: SharedLimits, usage: KeyUsage): Known {
    let known = this.#known.get(limits.name);
    if (known === undefined) {
      known = { limits, usage, unconfirmed: 0, counted: 0 };
      this.#known.set(limits.name, known);
    }
    return known;
  }
}

/** By how much the store's count of a key's requests has to change. Without a limit nothing new is counted. */
function uncounted({ limits, usage, counted }: Known): number {
  const change = usage.concurrent - counted;
  return Number.isFinite(limits.concurrent) ? change : Math.min(0, change);
}
