import type { Backend } from "../backends/backend.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import type { SharedSlots } from "../scheduling/shared-slots.ts";
import { BEAT, JOIN, LEAVE, RELEASE, TAKE, WITHDRAW } from "./slot-scripts.ts";
import type { StateStore, StoreUser } from "./state-store.ts";

/** This gateway's share of one backend. */
interface Share {
  /** Number of slots taken by its requests. */
  taken: number;
  /** Number of requests for a slot in flight to the store. */
  pending: number;
  /** Whether the store has this gateway queued for a slot. */
  isQueued: boolean;
  /** Whether it is this gateway's turn. */
  hasTurn: boolean;
}

// Number of heartbeats per lease.
const HEARTBEATS_PER_LEASE = 5;
// Expiry of unused keys in the store, in leases.
const TTL_LEASES = 10;

/**
 * Slots of backends shared with other gateways, so that a backend never runs more requests than it has slots. Waiting
 * gateways get slots in turn. While the store is unreachable, each gateway uses its last known share.
 */
export class SlotPool implements SharedSlots, StoreUser {
  readonly #store: StateStore;
  readonly #backends: BackendPool;
  readonly #leaseMs: number;
  readonly #shares = new Map<Backend, Share>();
  /** Backends that this gateway is queued for. */
  readonly #waitsFor = new Set<Backend>();
  /** Backends with a request for a slot in flight. */
  readonly #pendingFor = new Set<Backend>();
  readonly #timer: NodeJS.Timeout;
  /** As last reported, including this one. */
  gateways = 1;

  constructor(store: StateStore, backends: BackendPool, leaseMs: number) {
    this.#store = store;
    this.#backends = backends;
    this.#leaseMs = leaseMs;
    store.addUser(this);
    store.onMessage = (message) => {
      const [server = "", ...turns] = message.split(" ");
      if (turns.includes(store.name)) this.#onTurn(server);
    };
    this.#timer = setInterval(() => void this.#heartbeat(), leaseMs / HEARTBEATS_PER_LEASE).unref();
  }

  async take(backend: Backend): Promise<boolean> {
    const share = this.#shareOf(backend);
    if (!this.#store.isUp) return this.#takeLocally(backend, share);
    share.pending += 1;
    share.hasTurn = false;
    this.#pendingFor.add(backend);
    try {
      const keys = this.#keys([backend]);
      const args = [this.#store.name, backend.slots, this.#ttlMs];
      const [verdict, total] = (await this.#store.run(TAKE, keys, args)) as [number, number];
      if (verdict === -1) {
        this.#store.restart("this gateway's lease has ended");
        return this.#takeLocally(backend, share);
      }
      if (verdict === 0) {
        this.#onQueued(backend, share, total);
        return false;
      }
      share.taken += 1;
      this.#onTaken(backend, share, total);
      return true;
    } catch {
      return this.#takeLocally(backend, share);
    } finally {
      share.pending -= 1;
      if (share.pending === 0) this.#pendingFor.delete(backend);
    }
  }

  release(backend: Backend, wasTaken: boolean): void {
    const share = this.#shareOf(backend);
    if (!wasTaken) {
      this.#passTurn(backend, share);
      return;
    }
    share.taken -= 1;
    this.#send(RELEASE, backend);
  }

  noneWaiting(): void {
    for (const backend of this.#waitsFor) {
      const share = this.#shareOf(backend);
      if (!isClaimed(backend, share)) this.#withdraw(backend, share);
    }
  }

  onUp(former: string): void {
    const shares = [...this.#shares];
    const backends = shares.map(([backend]) => backend);
    const counts = shares.map(([, { taken }]) => taken);
    void this.#store
      .run(JOIN, this.#keys(backends), [this.#store.name, former, this.#leaseMs, this.#ttlMs, ...counts])
      .then(
        (gateways) => {
          this.gateways = gateways as number;
        },
        () => undefined,
      );
    for (const backend of this.#everyBackend()) this.#backends.placement.share(backend, Infinity);
    this.#backends.onChange();
  }

  onDown(): void {
    this.#waitsFor.clear();
    for (const share of this.#shares.values()) {
      share.isQueued = false;
      share.hasTurn = false;
    }
    for (const backend of this.#everyBackend())
      this.#backends.placement.share(backend, this.#localShare(backend), 0);
    this.#backends.onChange();
  }

  /** Returns all slots. Never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const backends = [...this.#shares.keys()];
    const servers = backends.flatMap(({ name, slots }) => [name, slots]);
    const { name, channel } = this.#store;
    await this.#store.run(LEAVE, this.#keys(backends), [name, channel, ...servers]).catch(() => undefined);
  }

  /** Number of slots to use while nothing is known of the other gateways. */
  #localShare({ slots }: Backend): number {
    return Math.max(1, Math.ceil(slots / this.gateways));
  }

  #takeLocally(backend: Backend, share: Share): boolean {
    const allowance = this.#localShare(backend);
    this.#backends.placement.share(backend, allowance, 0);
    if (share.taken >= allowance) return false;
    share.taken += 1;
    return true;
  }

  /** No slot is free; the store has queued this gateway. */
  #onQueued(backend: Backend, share: Share, total: number): void {
    share.isQueued = true;
    this.#waitsFor.add(backend);
    const allowance = share.hasTurn ? backend.inFlight : 0;
    this.#backends.placement.share(backend, allowance, Math.max(0, total - share.taken));
  }

  #onTaken(backend: Backend, share: Share, total: number): void {
    const isLimited = backend.allowance !== Infinity;
    share.isQueued = false;
    this.#waitsFor.delete(backend);
    // Another slot may be free as well; the next request finds out.
    const allowance = isLimited ? backend.inFlight + 1 : Infinity;
    this.#backends.placement.share(backend, allowance, Math.max(0, total - share.taken));
    if (isLimited) this.#backends.onChange();
  }

  #onTurn(server: string): void {
    // The message may arrive before the response that queued this gateway.
    for (const backend of this.#pendingFor)
      if (backend.name === server) this.#shareOf(backend).hasTurn = true;
    for (const backend of this.#waitsFor) {
      if (backend.name !== server) continue;
      const share = this.#shareOf(backend);
      share.hasTurn = true;
      this.#backends.placement.share(backend, backend.inFlight + 1);
      this.#backends.onChange();
      this.#passTurn(backend, share);
    }
  }

  /** Passes an unneeded turn on to the next gateway. */
  #passTurn(backend: Backend, share: Share): void {
    if (share.isQueued && share.hasTurn && !isClaimed(backend, share)) this.#withdraw(backend, share);
  }

  #withdraw(backend: Backend, share: Share): void {
    share.isQueued = false;
    share.hasTurn = false;
    this.#waitsFor.delete(backend);
    this.#backends.placement.share(backend, Infinity);
    this.#send(WITHDRAW, backend);
  }

  async #heartbeat(): Promise<void> {
    if (!this.#store.isUp) return;
    // Without its messages, this gateway would miss its turns.
    void this.#store.checkMessages();
    for (const [backend, share] of this.#shares) {
      if (share.taken === 0 && share.pending === 0 && !share.isQueued) this.#shares.delete(backend);
      else this.#passTurn(backend, share);
    }
    const backends = this.#everyBackend();
    const servers = backends.flatMap(({ name, slots }) => [name, slots]);
    const { name, channel } = this.#store;
    try {
      const [gateways = 0, ...totals] = (await this.#store.run(BEAT, this.#keys(backends), [
        name,
        this.#leaseMs,
        this.#ttlMs,
        channel,
        ...servers,
      ])) as number[];
      if (gateways === 0) {
        this.#store.restart("this gateway's lease has ended");
        return;
      }
      this.gateways = gateways;
      for (const [index, backend] of backends.entries()) {
        const taken = this.#shares.get(backend)?.taken ?? 0;
        const elsewhere = Math.max(0, (totals[index] ?? 0) - taken);
        this.#backends.placement.share(backend, backend.allowance, elsewhere);
      }
    } catch {
      // The store is unreachable, which has been handled.
    }
  }

  #send(script: typeof RELEASE, backend: Backend): void {
    const { name, channel } = this.#store;
    this.#store
      .run(script, this.#keys([backend]), [name, backend.slots, channel, backend.name])
      .catch(() => undefined);
  }

  #keys(backends: readonly Backend[]): string[] {
    const store = this.#store;
    const keysOf = ({ name }: Backend) => [store.key("slots", name), store.key("waiting", name)];
    return [store.key("gateways"), ...backends.flatMap(keysOf)];
  }

  get #ttlMs(): number {
    return this.#leaseMs * TTL_LEASES;
  }

  /** Current backends, and removed ones that still run requests of this gateway. */
  #everyBackend(): readonly Backend[] {
    return [...new Set([...this.#backends.all, ...this.#shares.keys()])];
  }

  #shareOf(backend: Backend): Share {
    let share = this.#shares.get(backend);
    if (share === undefined) {
      share = { taken: 0, pending: 0, isQueued: false, hasTurn: false };
      this.#shares.set(backend, share);
    }
    return share;
  }
}

/** Whether a request of this gateway is about to take a slot. */
function isClaimed(backend: Backend, { taken, pending }: Share): boolean {
  return pending > 0 || backend.inFlight > taken;
}
