import { IndexedHeap } from "../../gateway/src/lib/indexed-heap.ts";

const real = { setImmediate: globalThis.setImmediate };

interface Timer {
  at: number;
  readonly order: number;
  readonly everyMs: number | undefined;
  readonly delayMs: number;
  readonly call: () => void;
}

/** Replaces this process' timers and clocks with virtual time, which advances as fast as events are handled. */
export class VirtualClock {
  #now = 0;
  #order = 0;
  readonly #timers = new IndexedHeap<Timer>(
    (left, right) => left.at < right.at || (left.at === right.at && left.order < right.order),
  );

  /** Milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** Replaces timers and clocks for all code of this process, permanently. */
  install(): void {
    const now = (): number => this.#now;
    Object.defineProperty(performance, "now", { value: now });
    Date.now = now;
    const start =
      (repeats: boolean) =>
      (call: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) =>
        this.#handle(
          this.#add(
            () => {
              call(...args);
            },
            ms ?? 0,
            repeats,
          ),
        );
    const clear = (handle: unknown): void => {
      if (handle instanceof Handle) this.#timers.delete(handle.timer);
    };
    Object.assign(globalThis, {
      setTimeout: start(false),
      setInterval: start(true),
      clearTimeout: clear,
      clearInterval: clear,
    });
  }

  /** Calls back after a delay. */
  after(ms: number, call: () => void): void {
    this.#add(call, ms, false);
  }

  /** Advances the time, until no timers are left or the given time is reached. */
  async run(until: number): Promise<void> {
    await settled();
    for (
      let timer = this.#timers.first;
      timer !== undefined && timer.at <= until;
      timer = this.#timers.first
    ) {
      this.#now = timer.at;
      this.#timers.delete(timer);
      if (timer.everyMs !== undefined) {
        timer.at += Math.max(1, timer.everyMs);
        this.#timers.add(timer);
      }
      timer.call();
      // Lets pending promises settle before the next event.
      await settled();
    }
    this.#now = Math.max(this.#now, until);
  }

  #add(call: () => void, delayMs: number, repeats: boolean): Timer {
    this.#order += 1;
    const timer = {
      at: this.#now + delayMs,
      order: this.#order,
      everyMs: repeats ? delayMs : undefined,
      delayMs,
      call,
    };
    this.#timers.add(timer);
    return timer;
  }

  #handle(timer: Timer): Handle {
    return new Handle(timer, () => {
      timer.at = this.#now + timer.delayMs;
      this.#timers.update(timer);
    });
  }
}

/** The part of Node.js's Timeout that is used. */
class Handle {
  readonly timer: Timer;
  readonly #refresh: () => void;

  constructor(timer: Timer, refresh: () => void) {
    this.timer = timer;
    this.#refresh = refresh;
  }

  unref(): this {
    return this;
  }

  ref(): this {
    return this;
  }

  refresh(): this {
    this.#refresh();
    return this;
  }
}

/** Resolves after all promises that can settle. */
function settled(): Promise<void> {
  return new Promise((resolve) => real.setImmediate(resolve));
}
