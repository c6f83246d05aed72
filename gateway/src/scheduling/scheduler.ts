import type { Backend } from "../backends/backend.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import { ApiError } from "../errors.ts";
import { type ModelRequirement, sameModel } from "../backends/loaded-models.ts";
import type { LoadOutcome } from "../backends/model-loader.ts";
import { IndexedSet } from "../lib/indexed-set.ts";
import {
  type GenerationRequest,
  type QueueLimits,
  type SchedulerHandle,
  AdmittedRequest,
  modelRequirementOf,
} from "./admitted-request.ts";

// How much the latest request counts in the average that Retry-After is reckoned with.
const AVERAGE_WEIGHT = 0.1;

const SECOND = 1000;
const MAX_RETRY_AFTER = 60;

/**
 * Lets requests at the Ollama servers, as many as those can run at once. The others wait, in a queue for each key;
 * a slot that comes free goes to the key that has waited longest since it got one.
 */
export class Scheduler {
  readonly #backends: BackendPool;
  readonly #limits: QueueLimits;
  readonly #inside = new IndexedSet<AdmittedRequest>();
  /** By key, in the order in which the keys have their turns. */
  readonly #queues = new Map<string, AdmittedRequest[]>();
  #waiting = 0;
  #averageMs = SECOND;
  #draining = false;
  #onEmpty: (() => void) | undefined;
  /** For all requests: one for each would be three functions more to collect. */
  readonly #handle: SchedulerHandle = {
    queue: (each) => this.#queue(each),
    release: (each) => {
      this.#release(each);
    },
    left: (each) => {
      this.#remove(each);
    },
  };

  constructor(backends: BackendPool, limits: QueueLimits) {
    this.#backends = backends;
    this.#limits = limits;
    backends.onChange = () => {
      this.#schedule();
    };
  }

  /** Requests that have a slot. */
  get inFlight(): number {
    return this.#inside.size - this.#waiting;
  }

  /** Requests that wait for a slot or a load. */
  get waiting(): number {
    return this.#waiting;
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
    const known = this.#backends.knows(requirement.model);
    const choice = known ? this.#backends.choose(requirement, undefined) : undefined;
    const ready = choice !== undefined && "ready" in choice ? choice.ready : undefined;
    // Of those that arrive before it is known where they can go, as many as there are slots will not have to wait.
    const room = this.#limits.length + (known ? 0 : this.#slots());
    if (ready === undefined && this.#waiting >= room) throw this.#full();
    const admitted = new AdmittedRequest(asked, requirement, this.#handle);
    this.#inside.add(admitted);
    this.#waiting += 1;
    if (ready !== undefined) this.#give(admitted, ready);
    return admitted;
  }

  /**
   * A load has ended; when it failed, those that waited for it try another server or are told why. A load whose context
   * a client chose and that broke the server is not tried on the next.
   */
  loadEnded({ backend, requirement, error }: LoadOutcome): void {
    const isFinal = error?.connectionBroke === true && requirement.context !== undefined;
    for (const queue of this.#queues.values()) {
      for (const admitted of queue) {
        if (!sameModel(admitted.requirement, requirement)) continue;
        admitted.loadEnded();
        if (error === undefined) continue;
        admitted.failedOn(backend, error);
        if (isFinal) admitted.proceed(error);
      }
    }
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
    if (!this.#backends.knows(requirement.model)) await this.#backends.refresh(requirement.model);
    if (admitted.abortReason !== undefined) throw admitted.abortReason;
    if (this.#place(admitted)) return;
    if (this.#waiting > this.#limits.length && !admitted.ran) throw this.#full();
    const queue = this.#queues.get(admitted.key);
    if (queue === undefined) this.#queues.set(admitted.key, [admitted]);
    else if (admitted.isRetry) queue.unshift(admitted);
    else queue.push(admitted);
    try {
      await admitted.wait(
        this.#limits,
        () => new ApiError("queue_timeout", { retryAfter: this.#retryAfter() }),
      );
    } finally {
      this.#unqueue(admitted);
    }
  }

  /** Gives the admitted a slot if there is one for it. @throws ApiError when there can be none */
  #place(admitted: AdmittedRequest): boolean {
    const choice = this.#backends.choose(admitted.requirement, admitted.failedBackends);
    if ("impossible" in choice) throw admitted.lastFailure ?? choice.impossible;
    if ("wait" in choice) {
      admitted.waitsFor(choice.wait);
      return false;
    }
    this.#give(admitted, choice.ready);
    return true;
  }

  /** Hands out what has come free: round after round over the keys, one slot each, until nobody can be served. */
  #schedule(): void {
    const hopeless: ModelRequirement[] = [];
    for (let served = true; served;) {
      served = false;
      for (const [key, queue] of this.#queues) {
        const admitted = queue.find((each) => this.#serve(each, hopeless));
        if (admitted === undefined) continue;
        served = true;
        this.#unqueue(admitted);
        // To the end of the order; a map keeps the place of a key that is only set anew.
        this.#queues.delete(key);
        if (queue.length > 0) this.#queues.set(key, queue);
        break;
      }
    }
  }

  #serve(admitted: AdmittedRequest, hopeless: ModelRequirement[]): boolean {
    if (
      admitted.failedBackends === undefined &&
      hopeless.some((each) => sameModel(each, admitted.requirement))
    ) {
      return false;
    }
    try {
      if (this.#place(admitted)) {
        admitted.proceed();
        return true;
      }
      if (admitted.failedBackends === undefined) hopeless.push(admitted.requirement);
      return false;
    } catch (error) {
      admitted.proceed(error as ApiError);
      return true;
    }
  }

  #give(admitted: AdmittedRequest, backend: Backend): void {
    backend.inFlight += 1;
    backend.breaker.begin();
    this.#waiting -= 1;
    admitted.granted(backend);
  }

  /** The slot is free again; the admitted may go on to wait for another. */
  #release(admitted: AdmittedRequest): void {
    const { backend } = admitted;
    if (backend === undefined) return;
    backend.inFlight -= 1;
    backend.breaker.giveUp();
    this.#waiting += 1;
    this.#averageMs += AVERAGE_WEIGHT * (admitted.timings.heldMs - this.#averageMs);
    admitted.granted(undefined);
    if (this.#queues.size > 0) this.#schedule();
  }

  #remove(admitted: AdmittedRequest): void {
    if (!this.#inside.delete(admitted)) return;
    this.#waiting -= 1;
    if (this.#inside.size === 0) this.#onEmpty?.();
  }

  #unqueue(admitted: AdmittedRequest): void {
    const queue = this.#queues.get(admitted.key);
    const index = queue?.indexOf(admitted) ?? -1;
    if (queue === undefined || index === -1) return;
    queue.splice(index, 1);
    if (queue.length === 0) this.#queues.delete(admitted.key);
  }

  #full(): ApiError {
    return new ApiError("queue_full", { retryAfter: this.#retryAfter() });
  }

  #slots(): number {
    return this.#backends.all.reduce((sum, backend) => sum + backend.slots, 0);
  }

  /** When a place should be free, in seconds: what waits now, at the pace of the latest requests. */
  #retryAfter(): number {
    const seconds = ((this.#waiting + 1) * this.#averageMs) / this.#slots() / SECOND;
    return Math.min(MAX_RETRY_AFTER, Math.max(1, Math.ceil(seconds)));
  }
}
