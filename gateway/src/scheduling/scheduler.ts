import type { Backend } from "../backends/backend.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import { ApiError } from "../errors.ts";
import type { LoadOutcome } from "../backends/model-loader.ts";
import { IndexedSet } from "../lib/indexed-set.ts";
import { type QueueLimits, type SchedulerHandle, AdmittedRequest } from "./admitted-request.ts";
import { type GenerationRequest, modelRequirementOf } from "./generation-request.ts";
import { conversationOf } from "./conversation.ts";
import { WaitQueue, type Waiter } from "./wait-queue.ts";
import { WaitingCounts } from "./waiting-counts.ts";
import type { SharedSlots } from "./shared-slots.ts";
import type { WaitState } from "./wait-state.ts";

// How much the latest request counts in the average that Retry-After is reckoned with.
const AVERAGE_WEIGHT = 0.1;

// How many times the limit may wait where one key fills the queue with what cannot be refused.
const MAX_EXCESS = 2;

const SECOND = 1000;
const MAX_RETRY_AFTER = 60;

/**
 * Lets requests at the Ollama servers, as many as those can run at once. The others wait, in a queue for each key;
 * a slot that comes free goes to the key that has waited longest since it got one.
 */
export class Scheduler {
  readonly #backends: BackendPool;
  readonly #limits: QueueLimits;
  readonly #shared: SharedSlots | undefined;
  readonly #inside = new IndexedSet<AdmittedRequest>();
  readonly #queues = new WaitQueue();
  /** Requests without a slot, those that have yet to reach the queue included. */
  readonly #waiting = new WaitingCounts();
  /** Those that had to make room and have not left yet. They do not count as waiting. */
  readonly #displaced = new Set<AdmittedRequest>();
  #averageMs = SECOND;
  #draining = false;
  #onEmpty: (() => void) | undefined;
  /** For all requests: one for each would be three functions more to collect. */
  readonly #handle: SchedulerHandle = {
    queue: (each) => this.#queue(each),
    confirm: (each, backend) => this.#confirm(each, backend),
    release: (each) => {
      this.#release(each);
    },
    left: (each) => {
      this.#remove(each);
    },
  };

  /** @param shared the servers' slots, where other gateways use them, too */
  constructor(backends: BackendPool, limits: QueueLimits, shared?: SharedSlots) {
    this.#backends = backends;
    this.#limits = limits;
    this.#shared = shared;
    backends.onChange = () => {
      this.#schedule();
    };
  }

  /** Requests that have a slot. */
  get inFlight(): number {
    return this.#inside.size - this.#waiting.total - this.#displaced.size;
  }

  /** Requests that wait for a slot or a load. */
  get waiting(): number {
    return this.#waiting.total;
  }

  /** Requests that have a slot or wait for one. */
  get inside(): number {
    return this.#inside.size;
  }

  /** Whether it has a slot or waits for one. */
  has(admitted: AdmittedRequest): boolean {
    return this.#inside.has(admitted);
  }

  get draining(): boolean {
    return this.#draining;
  }

  /**
   * Lets a request in; what it is to do is given to the admitted's `run`.
   *
   * @throws ApiError `shutting_down`, `model_not_allowed` or `queue_full`, at once
   */
  admit(asked: GenerationRequest): AdmittedRequest {
    if (this.#draining) throw new ApiError("shutting_down");
    const requirement = modelRequirementOf(asked);
    if (!asked.consumer.allows(requirement.name)) {
      throw new ApiError("model_not_allowed", {
        message: `The API key may not use the model '${requirement.name}'.`,
        param: "model",
      });
    }
    const known = this.#backends.placement.knows(requirement.model);
    const { placement } = this.#backends;
    const conversation = placement.hasSeveral ? conversationOf(asked.body) : undefined;
    const choice = known ? placement.choose(requirement, undefined, conversation) : undefined;
    const ready = choice !== undefined && "ready" in choice ? choice.ready : undefined;
    // Of those that arrive before it is known where they can go, as many as there are slots will not have to wait.
    const room = this.#limits.length + (known ? 0 : this.#backends.placement.slots);
    if (ready === undefined && this.#waiting.total >= room && !this.#makeRoom(asked.consumer.name, 0))
      throw this.#full();
    const admitted = new AdmittedRequest(asked, requirement, this.#handle);
    admitted.conversation = conversation;
    this.#inside.add(admitted);
    this.#waiting.begin(admitted.key);
    if (ready !== undefined) this.#give(admitted, ready);
    return admitted;
  }

  /**
   * A load has ended; when it failed, those that waited for it try another server or get the error. A load whose context
   * a client chose and that broke the server is not tried on the next.
   */
  loadEnded({ backend, requirement, error }: LoadOutcome): void {
    const isFinal = error?.connectionBroke === true && requirement.context !== undefined;
    this.#queues.loadEnded(requirement, error === undefined ? undefined : backend, (admitted) => {
      admitted.loadEnded();
      if (error === undefined) return;
      admitted.failedOn(backend, error);
      if (isFinal) admitted.proceed(error);
    });
  }

  /**
   * Lets nobody in any more and resolves when nobody is left. Requests that are still there after `timeout` ms end
   * with the error `shutting_down`.
   */
  async drain(timeout: number): Promise<void> {
    this.#draining = true;
    if (this.#inside.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    const timer = setTimeout(() => {
      for (const admitted of this.#inside) admitted.abort(new ApiError("shutting_down"));
    }, timeout);
    await empty;
    clearTimeout(timer);
  }

  /** Waits until the admitted has a slot. @throws ApiError */
  async #queue(admitted: AdmittedRequest): Promise<void> {
    const { requirement } = admitted;
    // A server that was gone may be back, and a model that was missing may be there: nothing is refused unasked.
    if (!this.#backends.placement.knows(requirement.model)) await this.#backends.refresh(requirement.model);
    if (admitted.abortReason !== undefined) throw admitted.abortReason;
    const kept = this.#place(admitted);
    if (kept === undefined) return;
    if (this.#waiting.total > this.#limits.length && !admitted.ran && !this.#makeRoom(admitted.key, 1))
      throw this.#full();
    const waiter = this.#queues.add(admitted, kept);
    try {
      await admitted.wait(
        this.#limits,
        () => new ApiError("queue_timeout", { retryAfter: this.#retryAfter() }),
      );
    } finally {
      this.#queues.remove(waiter);
      if (this.#queues.size === 0) this.#shared?.nothingWaits();
    }
  }

  /** Undefined: the slot is the request's. False: another gateway took it, and the request waits for another. */
  #confirm(admitted: AdmittedRequest, backend: Backend): Promise<boolean> | undefined {
    if (this.#shared === undefined || admitted.isConfirmed) return undefined;
    return this.#shared.take(backend).then((isOurs) => {
      admitted.isConfirmed = isOurs;
      if (isOurs) return true;
      this.#vacate(admitted, backend);
      admitted.denied();
      return false;
    });
  }

  /** Gives the admitted a slot if there is one for it, or returns what keeps it. @throws ApiError when there can be none */
  #place(admitted: AdmittedRequest): WaitState["kind"] | undefined {
    const choice = this.#backends.placement.choose(
      admitted.requirement,
      admitted.failedBackends,
      admitted.conversation,
    );
    if ("impossible" in choice) throw admitted.lastFailure ?? choice.impossible;
    if ("wait" in choice) return choice.wait;
    this.#give(admitted, choice.ready);
    return undefined;
  }

  /**
   * Hands out what has come free.
   *
   * @param freed the server with the only slot that has come free, where nothing else has changed
   */
  #schedule(freed?: Backend): void {
    this.#queues.offer(this.#serve, () => freed?.hasFreeSlot === false);
  }

  readonly #serve = (admitted: AdmittedRequest, state: WaitState): boolean => {
    try {
      const kept = this.#place(admitted);
      if (kept === undefined) admitted.proceed();
      else state.kind = kept;
      return kept === undefined;
    } catch (error) {
      admitted.proceed(error as ApiError);
      return true;
    }
  };

  #give(admitted: AdmittedRequest, backend: Backend): void {
    this.#backends.placement.occupy(backend, admitted.conversation);
    backend.breaker.begin();
    this.#waiting.end(admitted.key);
    admitted.granted(backend);
  }

  /** The slot is free again; the admitted may go on to wait for another. */
  #release(admitted: AdmittedRequest): void {
    const { backend } = admitted;
    if (backend === undefined) return;
    this.#vacate(admitted, backend);
    this.#shared?.release(backend, admitted.isConfirmed);
    admitted.isConfirmed = false;
    this.#averageMs += AVERAGE_WEIGHT * (admitted.timings.heldMs - this.#averageMs);
    admitted.granted(undefined);
    if (this.#queues.size > 0) this.#schedule(backend);
  }

  #vacate(admitted: AdmittedRequest, backend: Backend): void {
    this.#backends.placement.vacate(backend);
    backend.breaker.giveUp();
    this.#waiting.begin(admitted.key);
  }

  #remove(admitted: AdmittedRequest): void {
    if (!this.#inside.delete(admitted)) return;
    if (!this.#displaced.delete(admitted)) this.#waiting.end(admitted.key);
    if (this.#inside.size === 0) this.#onEmpty?.();
  }

  /**
   * In a full queue, the last request of the key with most of them is refused where another key has fewer: one key does
   * not keep the others out. Where none of its requests can be refused, because all have begun or have yet to reach the
   * queue, the other key's waits in addition, up to twice the limit.
   *
   * @param key whose request needs room
   * @param counted 1 if that request already counts as waiting, else 0
   */
  #makeRoom(key: string, counted: 0 | 1): boolean {
    let most = this.#waiting.of(key) - counted + 1;
    let last: Waiter | undefined;
    let hasMore = false;
    for (const [each, count] of this.#waiting.byKey) {
      if (count <= most) continue;
      hasMore = true;
      const found = this.#queues.lastUnbegun(each);
      if (found === undefined) continue;
      last = found;
      most = count;
    }
    if (last === undefined)
      return hasMore && this.#waiting.total - counted < MAX_EXCESS * this.#limits.length;
    this.#queues.remove(last);
    this.#displaced.add(last.admitted);
    this.#waiting.end(last.admitted.key);
    last.admitted.proceed(this.#full());
    return true;
  }

  #full(): ApiError {
    return new ApiError("queue_full", { retryAfter: this.#retryAfter() });
  }

  /** When a place should be free, in seconds: what waits now, at the pace of the latest requests. */
  #retryAfter(): number {
    const seconds = ((this.#waiting.total + 1) * this.#averageMs) / this.#backends.placement.slots / SECOND;
    return Math.min(MAX_RETRY_AFTER, Math.max(1, Math.ceil(seconds)));
  }
}
