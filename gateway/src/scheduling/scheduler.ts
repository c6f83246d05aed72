import type { Backend } from "../backends/backend.ts";
import type { BackendPool } from "../backends/backend-pool.ts";
import { ApiError } from "../errors.ts";
import type { LoadOutcome } from "../backends/model-loader.ts";
import { IndexedSet } from "../lib/indexed-set.ts";
import { AdmittedRequest, type SchedulerHandle } from "./admitted-request.ts";
import { type GenerationRequest, modelRequirementOf } from "./generation-request.ts";
import { conversationOf } from "./conversation.ts";
import { QueueRoom } from "./queue-room.ts";
import { WaitQueue } from "./wait-queue.ts";
import type { SharedSlots } from "./shared-slots.ts";
import type { WaitLimits, WaitState } from "./slot-wait.ts";

// Weight of the latest request in the moving average behind Retry-After.
const AVERAGE_WEIGHT = 0.1;

const SECOND = 1000;
const MAX_RETRY_AFTER = 60;

interface QueueLimits extends WaitLimits {
  /** Maximum number of queued requests. */
  readonly length: number;
}

/**
 * Admits requests and assigns them to slots of the backends. Requests without a slot wait in one queue per key; a free
 * slot goes to the key that was served least recently.
 */
export class Scheduler {
  readonly #backends: BackendPool;
  readonly #limits: QueueLimits;
  readonly #shared: SharedSlots | undefined;
  readonly #active = new IndexedSet<AdmittedRequest>();
  readonly #queues = new WaitQueue();
  readonly #room: QueueRoom;
  #averageMs = SECOND;
  #draining = false;
  #onEmpty: (() => void) | undefined;
  /** Shared by all requests to avoid four closures per request. */
  readonly #handle: SchedulerHandle = {
    queue: (each) => this.#queue(each),
    confirm: (each, backend) => this.#confirm(each, backend),
    release: (each) => {
      this.#release(each);
    },
    remove: (each) => {
      this.#remove(each);
    },
  };

  /** @param shared slots of backends that other gateways also use */
  constructor(backends: BackendPool, limits: QueueLimits, shared?: SharedSlots) {
    this.#backends = backends;
    this.#limits = limits;
    this.#shared = shared;
    this.#room = new QueueRoom(limits.length, this.#queues, () => this.#full());
    backends.onChange = () => {
      this.#schedule();
    };
  }

  /** Number of requests with a slot. */
  get inFlight(): number {
    return this.#active.size - this.#room.withoutSlot;
  }

  /** Number of requests that wait for a slot or a load. */
  get waiting(): number {
    return this.#room.waiting;
  }

  /** Number of requests with a slot or waiting for one. */
  get active(): number {
    return this.#active.size;
  }

  /** Whether the request has a slot or waits for one. */
  has(admitted: AdmittedRequest): boolean {
    return this.#active.has(admitted);
  }

  get draining(): boolean {
    return this.#draining;
  }

  /**
   * Admits a request; its work is started with `run`.
   *
   * @throws ApiError `shutting_down`, `model_not_allowed` or `queue_full`
   */
  admit(request: GenerationRequest): AdmittedRequest {
    if (this.#draining) throw new ApiError("shutting_down");
    const requirement = modelRequirementOf(request);
    if (!request.consumer.allows(requirement.name)) {
      throw new ApiError("model_not_allowed", {
        message: `The API key may not use the model '${requirement.name}'.`,
        param: "model",
      });
    }
    const { placement } = this.#backends;
    const known = placement.knows(requirement.model);
    const conversation = placement.hasMultiple ? conversationOf(request.body) : undefined;
    const choice = known ? placement.choose(requirement, undefined, conversation) : undefined;
    const ready = choice !== undefined && "ready" in choice ? choice.ready : undefined;
    // Until it is known which backends have the model, allow for the requests that will get a slot at once.
    const extra = known ? 0 : placement.slots;
    if (ready === undefined && !this.#room.makeRoom(request.consumer.name, 0, extra)) throw this.#full();
    const admitted = new AdmittedRequest(request, requirement, this.#handle);
    admitted.conversation = conversation;
    this.#active.add(admitted);
    this.#room.addWaiting(admitted.key);
    if (ready !== undefined) this.#assign(admitted, ready);
    return admitted;
  }

  /**
   * Updates the requests that waited for a load. After a failure they try another backend, unless the load crashed the
   * backend with a context chosen by the client: it would crash the next one too. Those that can run where the model is
   * loaded with that context continue to wait.
   */
  loadEnded({ backend, requirement, error }: LoadOutcome): void {
    const crashes = error?.connectionBroke === true && requirement.context !== undefined;
    const others = crashes
      ? this.#backends.all.filter((each) => each.reachable && each.loaded.has(requirement))
      : [];
    this.#queues.loadEnded(requirement, error === undefined ? undefined : backend, (admitted) => {
      admitted.loadEnded();
      if (error === undefined) return;
      admitted.failedOn(backend, error);
      if (crashes && others.every((each) => admitted.failedBackends?.has(each) === true))
        admitted.wait.end(error);
    });
  }

  /**
   * Stops admission and resolves when all requests have ended. Requests still running after `timeout` milliseconds fail
   * with `shutting_down`.
   */
  async drain(timeout: number): Promise<void> {
    this.#draining = true;
    if (this.#active.size === 0) return;
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    const timer = setTimeout(() => {
      for (const admitted of this.#active) admitted.abort(new ApiError("shutting_down"));
    }, timeout);
    await empty;
    clearTimeout(timer);
  }

  /**
   * Waits until the request has a slot.
   *
   * @throws ApiError
   */
  async #queue(admitted: AdmittedRequest): Promise<void> {
    const { requirement } = admitted;
    // Probe before rejecting: the backend or the model may be available again.
    if (!this.#backends.placement.knows(requirement.model)) await this.#backends.refresh(requirement.model);
    if (admitted.abortReason !== undefined) throw admitted.abortReason;
    const waitsFor = this.#place(admitted);
    if (waitsFor === undefined) return;
    // A request that lost its slot keeps its place, even if newer ones have filled the queue meanwhile.
    const isNew = !admitted.ran && !admitted.lostSlot;
    if (isNew && !this.#room.makeRoom(admitted.key, 1)) throw this.#full();
    const waiter = this.#queues.add(admitted, waitsFor);
    try {
      await admitted.wait.begin(
        this.#limits,
        () => new ApiError("queue_timeout", { retryAfter: this.#retryAfter() }),
      );
    } finally {
      this.#queues.remove(waiter);
      if (this.#queues.size === 0) this.#shared?.noneWaiting();
    }
  }

  /**
   * Undefined if the slot needs no confirmation; false if another gateway took it, so that the request must wait again.
   */
  #confirm(admitted: AdmittedRequest, backend: Backend): Promise<boolean> | undefined {
    if (this.#shared === undefined || admitted.isConfirmed) return undefined;
    return this.#shared.take(backend).then((isOurs) => {
      admitted.isConfirmed = isOurs;
      if (isOurs) return true;
      this.#vacate(admitted, backend);
      admitted.revoke();
      return false;
    });
  }

  /**
   * Assigns a slot if one is free, else returns what the request waits for.
   *
   * @throws ApiError if no backend can run it
   */
  #place(admitted: AdmittedRequest): WaitState["kind"] | undefined {
    const choice = this.#backends.placement.choose(
      admitted.requirement,
      admitted.failedBackends,
      admitted.conversation,
    );
    if ("impossible" in choice) throw admitted.lastFailure ?? choice.impossible;
    if ("wait" in choice) return choice.wait;
    this.#assign(admitted, choice.ready);
    return undefined;
  }

  /**
   * Assigns free slots to queued requests.
   *
   * @param freed the backend of the only slot that became free, if nothing else has changed
   */
  #schedule(freed?: Backend): void {
    this.#queues.offer(this.#serve, () => freed?.hasFreeSlot === false);
  }

  readonly #serve = (admitted: AdmittedRequest, state: WaitState): boolean => {
    try {
      const waitsFor = this.#place(admitted);
      if (waitsFor === undefined) admitted.wait.end();
      else state.kind = waitsFor;
      return waitsFor === undefined;
    } catch (error) {
      admitted.wait.end(error as ApiError);
      return true;
    }
  };

  #assign(admitted: AdmittedRequest, backend: Backend): void {
    this.#backends.placement.occupy(backend, admitted.conversation);
    admitted.isTrial = backend.breaker.begin();
    this.#room.removeWaiting(admitted.key);
    admitted.assign(backend);
  }

  /** Frees the slot; the request stays admitted and may wait for another. */
  #release(admitted: AdmittedRequest): void {
    const { backend } = admitted;
    if (backend === undefined) return;
    this.#vacate(admitted, backend);
    this.#shared?.release(backend, admitted.isConfirmed);
    admitted.isConfirmed = false;
    this.#averageMs += AVERAGE_WEIGHT * (admitted.timings.slotMs - this.#averageMs);
    admitted.assign(undefined);
    if (this.#queues.size > 0) this.#schedule(backend);
  }

  #vacate(admitted: AdmittedRequest, backend: Backend): void {
    this.#backends.placement.vacate(backend);
    if (admitted.isTrial) backend.breaker.endTrial();
    admitted.isTrial = false;
    this.#room.addWaiting(admitted.key);
  }

  #remove(admitted: AdmittedRequest): void {
    if (!this.#active.delete(admitted)) return;
    this.#room.remove(admitted);
    if (this.#active.size === 0) this.#onEmpty?.();
  }

  #full(): ApiError {
    return new ApiError("queue_full", { retryAfter: this.#retryAfter() });
  }

  /** Estimated seconds until a slot is free: the waiting requests at the recent pace. */
  #retryAfter(): number {
    const seconds = ((this.#room.waiting + 1) * this.#averageMs) / this.#backends.placement.slots / SECOND;
    return Math.min(MAX_RETRY_AFTER, Math.max(1, Math.ceil(seconds)));
  }
}
