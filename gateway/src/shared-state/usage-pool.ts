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
    if (this.isUp && !usage.isEmpty) this.#restore(known);
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
      if (refused === "" && enters) usage.concurrent += 1;
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

  add(
    limits: SharedLimits,
    usage: KeyUsage,
    { tokens = 0, concurrent = 0, reserved = 0 }: UsageChange,
  ): void {
    const known = this.#knownOf(limits, usage);
    known.unconfirmed += tokens;
    if (!this.#store.isUp) return;
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
    for (const known of this.#known.values()) this.#restore(known);
  }

  went(): void {
    for (const { usage } of this.#known.values()) {
      usage.othersConcurrent = 0;
      usage.othersReserved = 0;
    }
  }

  /** Tells the store what it may have lost, and what was used while it was away. */
  #restore(known: Known): void {
    const { limits, usage, unconfirmed } = known;
    const { requestsPerMinute = 0, tokensPerMinute = 0 } = limits;
    const { requests, tokens, day, month } = usage;
    const before = (count: number): number => Math.max(0, count - unconfirmed);
    for (const reservation of usage.reservations) reservation.shared = Math.ceil(reservation.tokens);
    const reserved = [...usage.reservations].reduce((sum, { shared = 0 }) => sum + shared, 0);
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
        unconfirmed,
        Number.isFinite(limits.concurrent) ? usage.concurrent : 0,
        reserved,
        STAYS_MS,
      ])
      .then(
        () => {
          known.unconfirmed -= unconfirmed;
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
      known = { limits, usage, unconfirmed: 0 };
      this.#known.set(limits.name, known);
    }
    known.limits = limits;
    return known;
  }
}
