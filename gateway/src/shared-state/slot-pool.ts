import type { Backend } from "../backends/backend.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import type { SharedSlots } from "../scheduling/shared-slots.ts";
import { BEAT, JOIN, LEAVE, RELEASE, TAKE, WITHDRAW } from "./slot-scripts.ts";
import type { StateStore, StoreUser } from "./state-store.ts";

/** What this gateway has of one server. */
interface Share {
  /** Slots that its requests have. */
  taken: number;
  /** Requests for a slot that the store has not responded to. */
  pending: number;
  /** The store knows that it waits for a slot. */
  waits: boolean;
  /** It has its turn. */
  woken: boolean;
}

// A lease survives so many heartbeats.
const BEATS_PER_LEASE = 5;
// How many leases long the store keeps what no gateway refers to any more.
const LEASES_KEPT = 10;

/**
 * The slots of Ollama servers, shared with other gateways: whichever sends a request, a server never runs more at once
 * than it can. Gateways that wait for a server get its slots in turn. While the store is away, each has its share.
 */
export class SlotPool implements SharedSlots, StoreUser {
  readonly #store: StateStore;
  readonly #backends: BackendPool;
  readonly #leaseMs: number;
  readonly #shares = new Map<Backend, Share>();
  /** Those that this gateway waits for. */
  readonly #waitsFor = new Set<Backend>();
  /** Those that a request is about to take a slot of. */
  readonly #pendingFor = new Set<Backend>();
  readonly #timer: NodeJS.Timeout;
  /** As it was known last, this one included. */
  gateways = 1;

  constructor(store: StateStore, backends: BackendPool, leaseMs: number) {
    this.#store = store;
    this.#backends = backends;
    this.#leaseMs = leaseMs;
    store.addUser(this);
    store.onMessage = (message) => {
      const [server = "", ...turns] = message.split(" ");
      if (turns.includes(store.name)) this.#haveTurn(server);
    };
    this.#timer = setInterval(() => void this.#beat(), leaseMs / BEATS_PER_LEASE).unref();
  }

  async take(backend: Backend): Promise<boolean> {
    const share = this.#shareOf(backend);
    if (!this.#store.isUp) return this.#takeLocally(backend, share);
    share.pending += 1;
    share.woken = false;
    this.#pendingFor.add(backend);
    try {
      const keys = this.#keys([backend]);
      const args = [this.#store.name, backend.slots, this.#staysMs];
      const [verdict, total] = (await this.#store.run(TAKE, keys, args)) as [number, number];
      if (verdict === -1) {
        this.#store.restart("this gateway's lease has ended");
        return this.#takeLocally(backend, share);
      }
      if (verdict === 0) {
        this.#wait(backend, share, total);
        return false;
      }
      share.taken += 1;
      this.#took(backend, share, total);
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
      this.#passTurnOn(backend, share);
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

  came(former: string): void {
    const shares = [...this.#shares];
    const backends = shares.map(([backend]) => backend);
    const counts = shares.map(([, { taken }]) => taken);
    void this.#store
      .run(JOIN, this.#keys(backends), [this.#store.name, former, this.#leaseMs, this.#staysMs, ...counts])
      .then(
        (gateways) => {
          this.gateways = gateways as number;
        },
        () => undefined,
      );
    for (const backend of this.#everyBackend()) this.#backends.placement.share(backend, Infinity);
    this.#backends.onChange();
  }

  went(): void {
    this.#waitsFor.clear();
    for (const share of this.#shares.values()) {
      share.waits = false;
      share.woken = false;
    }
    for (const backend of this.#everyBackend())
      this.#backends.placement.share(backend, this.#localShare(backend), 0);
    this.#backends.onChange();
  }

  /** Gives everything back. Never rejects. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    const backends = [...this.#shares.keys()];
    const servers = backends.flatMap(({ name, slots }) => [name, slots]);
    const { name, channel } = this.#store;
    await this.#store.run(LEAVE, this.#keys(backends), [name, channel, ...servers]).catch(() => undefined);
  }

  /** How many requests a server runs at once for this gateway while it knows nothing of the others. */
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

  /** The server has no slot for this gateway, which has its turn when one comes free. */
  #wait(backend: Backend, share: Share, total: number): void {
    share.waits = true;
    this.#waitsFor.add(backend);
    const allowance = share.woken ? backend.inFlight : 0;
    this.#backends.placement.share(backend, allowance, Math.max(0, total - share.taken));
  }

  #took(backend: Backend, share: Share, total: number): void {
    const isLimited = backend.allowance !== Infinity;
    share.waits = false;
    this.#waitsFor.delete(backend);
    // Another slot may be free as well: the next request finds out.
    const allowance = isLimited ? backend.inFlight + 1 : Infinity;
    this.#backends.placement.share(backend, allowance, Math.max(0, total - share.taken));
    if (isLimited) this.#backends.onChange();
  }

  #haveTurn(server: string): void {
    // The message may have overtaken the response that says to wait for it.
    for (const backend of this.#pendingFor) if (backend.name === server) this.#shareOf(backend).woken = true;
    for (const backend of this.#waitsFor) {
      if (backend.name !== server) continue;
      const share = this.#shareOf(backend);
      share.woken = true;
      this.#backends.placement.share(backend, backend.inFlight + 1);
      this.#backends.onChange();
      this.#passTurnOn(backend, share);
    }
  }

  /** A turn that no request of this gateway has use for is for the next gateway. */
  #passTurnOn(backend: Backend, share: Share): void {
    if (share.waits && share.woken && !isClaimed(backend, share)) this.#withdraw(backend, share);
  }

  #withdraw(backend: Backend, share: Share): void {
    share.waits = false;
    share.woken = false;
    this.#waitsFor.delete(backend);
    this.#backends.placement.share(backend, Infinity);
    this.#send(WITHDRAW, backend);
  }

  async #beat(): Promise<void> {
    if (!this.#store.isUp) return;
    // Without its messages, it would miss its turns.
    void this.#store.checkMessages();
    for (const [backend, share] of this.#shares) {
      if (share.taken === 0 && share.pending === 0 && !share.waits) this.#shares.delete(backend);
      else this.#passTurnOn(backend, share);
    }
    const backends = this.#everyBackend();
    const servers = backends.flatMap(({ name, slots }) => [name, slots]);
    const { name, channel } = this.#store;
    try {
      const [gateways = 0, ...totals] = (await this.#store.run(BEAT, this.#keys(backends), [
        name,
        this.#leaseMs,
        this.#staysMs,
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
      // It is away, which is known by now.
    }
  }

  #send(script: typeof RELEASE, backend: Backend): void {
    const { name, channel } = this.#store;
    this.#store
      .run(script, this.#keys([backend]), [name, backend.slots, channel, backend.name])
      .catch(() => undefined);
  }

  #keys(backends: readonly Backend[]): string[] {
    const { key } = this;
    return [key("gateways"), ...backends.flatMap(({ name }) => [key("slots", name), key("waiting", name)])];
  }

  readonly key = (...parts: readonly string[]): string => this.#store.key(...parts);

  get #staysMs(): number {
    return this.#leaseMs * LEASES_KEPT;
  }

  /** Those there are, and those that are gone but run requests of this gateway. */
  #everyBackend(): readonly Backend[] {
    return [...new Set([...this.#backends.all, ...this.#shares.keys()])];
  }

  #shareOf(backend: Backend): Share {
    let share = this.#shares.get(backend);
    if (share === undefined) {
      share = { taken: 0, pending: 0, waits: false, woken: false };
      this.#shares.set(backend, share);
    }
    return share;
  }
}

/** A request of this gateway is about to take a slot. */
function isClaimed(backend: Backend, { taken, pending }: Share): boolean {
  return pending > 0 || backend.inFlight > taken;
}
