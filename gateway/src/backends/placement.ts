import type { Backend } from "./backend.ts";
import type { BackendSet } from "./backend-set.ts";
import { ConversationAffinity } from "./conversation-affinity.ts";
import { ApiError, modelNotFound } from "../errors.ts";
import type { ModelRequirement } from "./loaded-models.ts";
import type { ModelLoader } from "./model-loader.ts";
import { PlacementIndex } from "./placement-index.ts";
import { canonicalModelName } from "../ollama/model-name.ts";

/** Where a request can go now. */
export type Choice =
  /** There, at once. */
  | { readonly ready: Backend }
  /** Nowhere yet: servers that could run it are busy, the model is being loaded, or there is no server so far. */
  | { readonly wait: "slot" | "load" | "server" }
  /** Nowhere at all. */
  | { readonly impossible: ApiError };

// From this many servers on, keeping an index costs less than looking at each of them.
const INDEXED_FROM = 16;

const WAIT_FOR_SLOT: Choice = { wait: "slot" };
const WAIT_FOR_LOAD: Choice = { wait: "load" };
const WAIT_FOR_SERVER: Choice = { wait: "server" };

/** Chooses the server that a request runs on, and begins the loads that are needed for it. */
export class Placement {
  readonly #members: Pick<BackendSet, "all" | "isStarting">;
  readonly #loader: Pick<ModelLoader, "isLoading" | "failedLately" | "begin">;
  readonly #indexedFrom: number;
  readonly #onLoadEnd: () => void;
  #all: readonly Backend[] = [];
  #slots = 0;
  readonly #affinity = new ConversationAffinity();
  #index: PlacementIndex | undefined;

  /**
   * @param onLoadEnd called when a load that was begun here has ended
   * @param indexedFrom servers from which on there is an index of them
   */
  constructor(
    members: Pick<BackendSet, "all" | "isStarting">,
    loader: Pick<ModelLoader, "isLoading" | "failedLately" | "begin">,
    onLoadEnd: () => void,
    indexedFrom = INDEXED_FROM,
  ) {
    this.#members = members;
    this.#indexedFrom = indexedFrom;
    this.#loader = loader;
    this.#onLoadEnd = onLoadEnd;
    this.use(members.all);
  }

  /** Requests that all servers run at once together. */
  get slots(): number {
    return this.#slots;
  }

  /** There is a choice, so that it may matter which conversation a request belongs to. */
  get hasSeveral(): boolean {
    return this.#all.length > 1;
  }

  /** Takes other servers than before. */
  use(backends: readonly Backend[]): void {
    this.#all = backends;
    this.#slots = backends.reduce((sum, { slots }) => sum + slots, 0);
    const index = backends.length < this.#indexedFrom ? undefined : new PlacementIndex(backends);
    this.#index = index;
    this.#affinity.retain(new Set(backends));
    for (const backend of backends) {
      const changed = (): void => index?.modelsChanged(backend);
      backend.loaded.onChange = changed;
      backend.onStockChange = changed;
    }
  }

  /** Whether it is known where the model is, so that a request for it can be placed without asking. */
  knows(model: string): boolean {
    const candidates = this.#index?.holders(model) ?? this.#all;
    return has(candidates, (backend) => backend.reachable && backend.holds(model));
  }

  /** A request takes a slot of a server. @param conversation which it continues */
  occupy(backend: Backend, conversation: string | undefined): void {
    if (conversation !== undefined) this.#affinity.remember(conversation, backend);
    backend.inFlight += 1;
    this.#index?.loadChanged(backend);
  }

  /** A request gives its slot back. */
  vacate(backend: Backend): void {
    backend.inFlight -= 1;
    this.#index?.loadChanged(backend);
  }

  /** Takes how many of a server's slots this gateway may have, and how many others have. */
  share(backend: Backend, allowance: number, elsewhere = backend.elsewhere): void {
    backend.allowance = allowance;
    backend.elsewhere = elsewhere;
    this.#index?.loadChanged(backend);
  }

  /**
   * Chooses for a request: a server that has the model loaded and is least busy, else one that has it. A load that is
   * needed is begun here, and is not the request's own: it goes on when the request is given up. A server whose breaker
   * is open comes last, and is used all the same when there is no other: refusing the request would help nobody.
   *
   * @param except servers that have failed the request
   * @param conversation goes to the server that it ran on last, if that has the model loaded and a free slot
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
    if (this.#index !== undefined) return this.#chooseIndexed(this.#index, requirement, except);
    let best: Backend | undefined;
    let cold: Backend | undefined;
    let busy = false;
    const isCandidate = (backend: Backend): boolean =>
      backend.reachable && backend.holds(requirement.model) && except?.has(backend) !== true;
    const mindsBreakers = this.#all.some((backend) => backend.breaker.allows && isCandidate(backend));
    for (const backend of this.#all) {
      if (!isCandidate(backend) || (mindsBreakers && !backend.breaker.allows)) continue;
      if (!backend.loaded.has(requirement)) {
        if (backend.hasFreeSlot && isLessBusy(backend, cold)) cold = backend;
        else if (!backend.hasFreeSlot) busy = true;
      } else if (!backend.hasFreeSlot) busy = true;
      else if (isLessBusy(backend, best)) best = backend;
    }
    if (best !== undefined) return { ready: best };
    return this.#chooseWait(requirement, cold, busy);
  }

  /** The same choice, without looking at each server. */
  #chooseIndexed(
    index: PlacementIndex,
    requirement: ModelRequirement,
    except: ReadonlySet<Backend> | undefined,
  ): Choice {
    const { model } = requirement;
    const isCandidate = (backend: Backend): boolean =>
      backend.reachable && backend.holds(model) && except?.has(backend) !== true;
    const isAllowed = (backend: Backend): boolean => backend.breaker.allows && isCandidate(backend);
    const mindsBreakers = has(index.holders(model), isAllowed);
    const fits = mindsBreakers ? isAllowed : isCandidate;
    const best = index.leastBusyWith(model, (backend) => backend.loaded.has(requirement) && fits(backend));
    if (best !== undefined) return { ready: best };
    const cold = this.#loader.isLoading(requirement)
      ? undefined
      : index.leastBusy((backend) => fits(backend) && !backend.loaded.has(requirement));
    return this.#chooseWait(requirement, cold, index.hasBusy(model, fits));
  }

  /** @param cold the server that could load the model now; @param busy whether one that could run it has no free slot */
  #chooseWait(requirement: ModelRequirement, cold: Backend | undefined, busy: boolean): Choice {
    if (this.#loader.isLoading(requirement)) return busy ? WAIT_FOR_SLOT : WAIT_FOR_LOAD;
    // Another server is made ready while the ones that are have their hands full, unless it just failed to.
    if (cold !== undefined && !(busy && this.#loader.failedLately(cold, requirement))) {
      void this.#loader.begin(cold, requirement).finally(() => {
        this.#onLoadEnd();
      });
      return busy ? WAIT_FOR_SLOT : WAIT_FOR_LOAD;
    }
    if (busy) return WAIT_FOR_SLOT;
    const isStarting = this.#members.isStarting && !this.#all.some((backend) => backend.reachable);
    return isStarting ? WAIT_FOR_SERVER : { impossible: whyNot(this.#all, requirement.name) };
  }
}

/** Why no server can run a request. @param name the model's, as the client wrote it */
export function whyNot(all: readonly Backend[], name: string | undefined): ApiError {
  const reachable = all.filter((backend) => backend.reachable);
  const model = canonicalModelName(name ?? "");
  const elsewhere = all.some((backend) => !backend.reachable && backend.mayHold(model));
  if (reachable.length === 0 || elsewhere || name === undefined) return new ApiError("upstream_unreachable");
  return modelNotFound(name);
}

function has(backends: Iterable<Backend>, fits: (backend: Backend) => boolean): boolean {
  for (const backend of backends) if (fits(backend)) return true;
  return false;
}

function isLessBusy(backend: Backend, than: Backend | undefined): boolean {
  return than === undefined || backend.load < than.load;
}
