import type { Backend } from "./backend.ts";
import { IndexedHeap } from "../lib/indexed-heap.ts";

/**
 * Index of backends by installed and loaded models, ordered by utilization. With many backends, visiting all of them
 * would be the most expensive part of a request; with few, the index costs half a microsecond.
 */
export class PlacementIndex {
  /** All backends. */
  readonly #byLoad: IndexedHeap<Backend>;
  readonly #loaded = new Map<string, IndexedHeap<Backend>>();
  readonly #holders = new Map<string, Set<Backend>>();
  readonly #full = new Set<Backend>();
  readonly #ranks: ReadonlyMap<Backend, number>;
  /** The models that each backend is indexed under. */
  readonly #indexed = new Map<Backend, { loaded: ReadonlySet<string>; installed: ReadonlySet<string> }>();

  /** @param backends in order of preference among equally busy ones */
  constructor(backends: readonly Backend[]) {
    this.#ranks = new Map(backends.map((backend, rank) => [backend, rank]));
    this.#byLoad = new IndexedHeap(this.#precedes);
    for (const backend of backends) {
      this.#indexed.set(backend, { loaded: new Set(), installed: new Set() });
      this.#byLoad.add(backend);
      this.loadChanged(backend);
      this.modelsChanged(backend);
    }
  }

  /** Backends that have the model installed. */
  holders(model: string): Iterable<Backend> {
    return this.#holders.get(model) ?? [];
  }

  /** The least busy backend with a free slot that has the model loaded and fits. */
  leastBusyWith(model: string, fits: (backend: Backend) => boolean): Backend | undefined {
    return this.#loaded.get(model)?.find(fits, isFull);
  }

  /** The least busy backend with a free slot that fits. */
  leastBusy(fits: (backend: Backend) => boolean): Backend | undefined {
    return this.#byLoad.find(fits, isFull);
  }

  /** Whether a fitting backend with the model has no free slot. */
  hasBusy(model: string, fits: (backend: Backend) => boolean): boolean {
    const holders = this.#holders.get(model);
    if (holders === undefined || this.#full.size === 0) return false;
    const [fewer, others] = holders.size < this.#full.size ? [holders, this.#full] : [this.#full, holders];
    for (const backend of fewer) if (others.has(backend) && fits(backend)) return true;
    return false;
  }

  /** Call when the number of used slots changed. */
  loadChanged(backend: Backend): void {
    const indexed = this.#indexed.get(backend);
    if (indexed === undefined) return;
    if (isFull(backend)) this.#full.add(backend);
    else this.#full.delete(backend);
    this.#byLoad.update(backend);
    for (const model of indexed.loaded) this.#loaded.get(model)?.update(backend);
  }

  /** Call when the installed or loaded models changed. */
  modelsChanged(backend: Backend): void {
    const indexed = this.#indexed.get(backend);
    if (indexed === undefined) return;
    const loaded = new Set(backend.loaded.names);
    for (const model of indexed.loaded) {
      if (loaded.has(model)) continue;
      const heap = this.#loaded.get(model);
      heap?.delete(backend);
      if (heap?.size === 0) this.#loaded.delete(model);
    }
    for (const model of loaded) {
      if (indexed.loaded.has(model)) continue;
      const heap = this.#loaded.get(model) ?? new IndexedHeap<Backend>(this.#precedes);
      heap.add(backend);
      this.#loaded.set(model, heap);
    }
    const installed = new Set(backend.installedNames);
    for (const model of indexed.installed) {
      if (installed.has(model)) continue;
      const holders = this.#holders.get(model);
      holders?.delete(backend);
      if (holders?.size === 0) this.#holders.delete(model);
    }
    for (const model of installed) {
      if (indexed.installed.has(model)) continue;
      const holders = this.#holders.get(model) ?? new Set<Backend>();
      this.#holders.set(model, holders.add(backend));
    }
    this.#indexed.set(backend, { loaded, installed });
  }

  readonly #precedes = (left: Backend, right: Backend): boolean => {
    const difference = left.load - right.load;
    return difference < 0 || (difference === 0 && this.#rankOf(left) < this.#rankOf(right));
  };

  #rankOf(backend: Backend): number {
    return this.#ranks.get(backend) ?? Infinity;
  }
}

function isFull(backend: Backend): boolean {
  return !backend.hasFreeSlot;
}
