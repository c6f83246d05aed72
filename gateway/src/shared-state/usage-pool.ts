import type { KeyUsage } from "../auth/key-usage.ts";
import type {
  Demand,
  SharedLimit,
  SharedLimits,
  SharedUsage,
  TakeResult,
  UsageChange,
} from "../auth/shared-usage.ts";
import type { StateStore, StoreUser } from "./state-store.ts";
import { ADD, RESTORE, TAKE } from "./usage-scripts.ts";

/** What this gateway knows of a key's usage. */
interface Known {
  limits: SharedLimits;
  readonly usage: KeyUsage;
  /** Tokens that the store has not confirmed. */
  unconfirmed: number;
  /** Number of this gateway's requests that the store counts as in flight. */
  counted: number;
}

const DAY = 86_400_000;

// Longer than a month, as a monthly budget needs the usage of the month.
const TTL_MS = 40 * DAY;

/**
 * Usage of keys across all gateways of a stack. While the store is unreachable, continues with the last known counts.
 */
export class UsagePool implements SharedUsage, StoreUser {
  readonly #store: StateStore;
  /** By key name. */
  readonly #known = new Map<string, Known>();

  constructor(store: StateStore) {
    this.#store = store;
    store.addUser(this);
  }

  get isUp(): boolean {
    return this.#store.isUp;
  }

  register(limits: SharedLimits, usage: KeyUsage): void {
    const known = this.#knownOf(limits, usage);
    known.limits = limits;
    // Unconfirmed tokens are already being sent.
    if (this.isUp && (!usage.isEmpty || uncounted(known) !== 0)) this.#restore(known, 0);
  }

  async take(limits: SharedLimits, usage: KeyUsage, demand: Demand): Promise<TakeResult | undefined> {
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
        limits.concurrent ?? 0,
        day.current,
        month.current,
        requests,
        Number(enters),
        Number(tokens !== undefined),
        tokens?.prompt ?? 0,
        tokens?.output ?? 0,
        TTL_MS,
      ])) as [string, number, ...(string | number)[]];
      if (refused === "" && enters) {
        usage.concurrent += 1;
        if (limits.concurrent !== undefined) known.counted += 1;
      }
      const [used = 0, drained = 0, ofDay = 0, ofMonth = 0, inFlight = 0, reservedTotal = 0] =
        counts.map(Number);
      usage.requests.set(used);
      usage.tokens.set(drained + known.unconfirmed);
      day.set(ofDay + known.unconfirmed);
      month.set(ofMonth + known.unconfirmed);
      usage.othersConcurrent = Math.max(0, inFlight - usage.concurrent);
      const own = usage.ownReserved + (refused === "" ? reserved : 0);
      usage.othersReserved = Math.max(0, reservedTotal - own);
      return { rejectedBy: refused === "" ? undefined : (refused as SharedLimit), reserved };
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
    // The limits may have changed since the request was admitted.
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
        TTL_MS,
      ])
      .then(
        () => {
          known.unconfirmed -= tokens;
        },
        () => undefined,
      );
  }

  onUp(): void {
    for (const known of this.#known.values()) {
      // The new name has no requests in flight yet.
      known.counted = 0;
      for (const reservation of known.usage.reservations) delete reservation.shared;
      this.#restore(known, known.unconfirmed);
    }
  }

  onDown(): void {
    for (const { usage } of this.#known.values()) {
      usage.othersConcurrent = 0;
      usage.othersReserved = 0;
    }
  }

  /**
   * Reports usage that the store may have lost or not counted yet.
   *
   * @param missing tokens used while the store was unreachable
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
        TTL_MS,
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

/** The change to the store's count of requests in flight. Without a concurrency limit, new ones are not counted. */
function uncounted({ limits, usage, counted }: Known): number {
  const change = usage.concurrent - counted;
  return limits.concurrent === undefined ? Math.min(0, change) : change;
}
