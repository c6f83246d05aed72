import type { Backend } from "./backend.ts";
import type { BackendSet } from "./backend-set.ts";
import { ConversationAffinity } from "./conversation-affinity.ts";
import { ApiError, modelNotFound } from "../errors.ts";
import type { ModelRequirement } from "./loaded-models.ts";
import type { ModelLoader } from "./model-loader.ts";
import { PlacementIndex } from "./placement-index.ts";
import { canonicalModelName } from "../ollama/model-name.ts";

/** Result of choosing a backend. */
export type Choice =
  /** Run it there now. */
  | { readonly ready: Backend }
  /** Wait: suitable backends are busy, the model is being loaded, or no backend has started yet. */
  | { readonly wait: "slot" | "load" | "server" }
  /** No backend can run it. */
  | { readonly impossible: ApiError };

const WAIT_FOR_SLOT: Choice = { wait: "slot" };
const WAIT_FOR_LOAD: Choice = { wait: "load" };
const WAIT_FOR_SERVER: Choice = { wait: "server" };

/** Chooses the backend for a request, and starts the loads that it needs. */
export class Placement {
  readonly #members: Pick<BackendSet, "all" | "isStarting">;
  readonly #loader: Pick<ModelLoader, "isLoading" | "failedRecently" | "begin">;
  readonly #onLoadEnd: () => void;
  #all: readonly Backend[] = [];
  #slots = 0;
  readonly #affinity = new ConversationAffinity();
  #index = new PlacementIndex([]);

  /** @param onLoadEnd called when a load started here has ended */
  constructor(
    members: Pick<BackendSet, "all" | "isStarting">,
    loader: Pick<ModelLoader, "isLoading" | "failedRecently" | "begin">,
    onLoadEnd: () => void,
  ) {
    this.#members = members;
    this.#loader = loader;
    this.#onLoadEnd = onLoadEnd;
    this.setBackends(members.all);
  }

  /** Number of requests that all backends together can run concurrently. */
  get slots(): number {
    return this.#slots;
  }

  /** Whether there are multiple backends, so that conversation affinity matters. */
  get hasMultiple(): boolean {
    return this.#all.length > 1;
  }

  /** Replaces the backends. */
  setBackends(backends: readonly Backend[]): void {
    this.#all = backends;
    this.#slots = backends.reduce((sum, { slots }) => sum + slots, 0);
    const index = new PlacementIndex(backends);
    this.#index = index;
    this.#affinity.retain(new Set(backends));
    for (const backend of backends) {
      const changed = (): void => {
        index.modelsChanged(backend);
      };
      backend.loaded.onChange = changed;
      backend.onModelsChange = changed;
    }
  }

  /** Whether a reachable backend is known to have the model. */
  knows(model: string): boolean {
    return some(this.#index.holders(model), (backend) => backend.reachable && backend.holds(model));
  }

  /**
   * Takes a slot of a backend.
   *
   * @param conversation recorded for affinity
   */
  occupy(backend: Backend, conversation: string | undefined): void {
    if (conversation !== undefined) this.#affinity.remember(conversation, backend);
    backend.inFlight += 1;
    this.#index.loadChanged(backend);
  }

  /** Returns a slot of a backend. */
  vacate(backend: Backend): void {
    backend.inFlight -= 1;
    this.#index.loadChanged(backend);
  }

  /** Sets how many slots of a backend this gateway may use, and how many other gateways use. */
  share(backend: Backend, allowance: number, elsewhere = backend.usedElsewhere): void {
    backend.allowance = allowance;
    backend.usedElsewhere = elsewhere;
    this.#index.loadChanged(backend);
  }

  /**
   * Chooses a backend: the least busy one with the model loaded, else one to load it on. The load belongs to no request
   * and continues if the request is aborted. Backends with an open circuit breaker come last, but are used if there is
   * no other: rejecting the request would help nobody.
   *
   * @param except backends that have failed this request
   * @param conversation prefers the backend that ran it last, if that has the model loaded and a free slot
   */
  choose(
    requirement: ModelRequirement,
    except: ReadonlySet<Backend> | undefined,
    conversation?: string,
  ): Choice {
    const last = conversation === undefined ? undefined : this.#affinity.serverOf(conversation);
    if (
      last?.hasFreeSlot === true &&
      last.usable &&
      last.holds(requirement.model) &&
      last.loaded.has(requirement) &&
      except?.has(last) !== true
    ) {
      return { ready: last };
    }
    const index = this.#index;
    const { model } = requirement;
    const isCandidate = (backend: Backend): boolean =>
      backend.reachable && backend.holds(model) && except?.has(backend) !== true;
    const isAllowed = (backend: Backend): boolean => backend.breaker.allows && isCandidate(backend);
    const respectsBreakers = some(index.holders(model), isAllowed);
    const fits = respectsBreakers ? isAllowed : isCandidate;
    const best = index.leastBusyWith(model, (backend) => backend.loaded.has(requirement) && fits(backend));
    if (best !== undefined) return { ready: best };
    const cold = this.#loader.isLoading(requirement)
      ? undefined
      : index.leastBusy((backend) => fits(backend) && !backend.loaded.has(requirement));
    return this.#chooseWait(requirement, cold, index.hasBusy(model, fits));
  }

  /**
   * @param cold an idle backend that could load the model
   * @param busy whether a suitable backend has no free slot
   */
  #chooseWait(requirement: ModelRequirement, cold: Backend | undefined, busy: boolean): Choice {
    if (this.#loader.isLoading(requirement)) return busy ? WAIT_FOR_SLOT : WAIT_FOR_LOAD;
    // Load the model on another backend while the loaded ones are busy, unless that has just failed.
    if (cold !== undefined && !(busy && this.#loader.failedRecently(cold, requirement))) {
      void this.#loader.begin(cold, requirement).finally(() => {
        this.#onLoadEnd();
      });
      return busy ? WAIT_FOR_SLOT : WAIT_FOR_LOAD;
    }
    if (busy) return WAIT_FOR_SLOT;
    const isStarting = this.#members.isStarting && !this.#all.some((backend) => backend.reachable);
    return isStarting ? WAIT_FOR_SERVER : { impossible: unavailableError(this.#all, requirement.name) };
  }
}

/**
 * Returns the error for a request that no backend can run.
 *
 * @param name the model's name as sent by the client
 */
export function unavailableError(all: readonly Backend[], name: string | undefined): ApiError {
  const reachable = all.filter((backend) => backend.reachable);
  const model = canonicalModelName(name ?? "");
  const elsewhere = all.some((backend) => !backend.reachable && backend.mayHave(model));
  if (reachable.length === 0 || elsewhere || name === undefined) return new ApiError("upstream_unreachable");
  return modelNotFound(name);
}

function some(backends: Iterable<Backend>, fits: (backend: Backend) => boolean): boolean {
  for (const backend of backends) if (fits(backend)) return true;
  return false;
}
