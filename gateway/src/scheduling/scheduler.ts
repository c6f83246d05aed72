import type { Backend } from "../backends/backend.ts";
import type { Backends } from "../backends/backend-pool.ts";
import { ApiError } from "../errors.ts";
import { type LoadRequest, sameModel } from "../backends/loaded-models.ts";
import type { LoadOutcome } from "../backends/model-loader.ts";
import { Members } from "../lib/indexed-set.ts";
import { type Asked, type QueueLimits, Ticket, wantedBy } from "./admitted-request.ts";

// How much the latest request counts in the average that Retry-After is reckoned with.
const AVERAGE_WEIGHT = 0.1;

const SECOND = 1000;
const MAX_RETRY_AFTER = 60;

/**
 * Lets requests at the Ollama servers, as many as those can run at once. The others wait, in a queue for each key;
 * a slot that comes free goes to the key that has waited longest since it got one.
 */
export class Admission {
  readonly #backends: Backends;
  readonly #limits: QueueLimits;
  readonly #inside = new Members<Ticket>();
  /** By key, in the order in which the keys have their turns. */
  readonly #queues = new Map<string, Ticket[]>();
  #waiting = 0;
  #averageMs = SECOND;
  #draining = false;
  #onEmpty: (() => void) | undefined;

  constructor(backends: Backends, limits: QueueLimits) {
    this.#backends = backends;
    this.#limits = limits;
    backends.onChange = () => {
      this.#dispatch();
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

  get draining(): boolean {
    return this.#draining;
  }

  /**
   * Lets a request in; what it is to do is given to the ticket's `run`.
   *
   * @throws ApiError `shutting_down`, `model_not_allowed` or `queue_full`, at once
   */
  enter(asked: Asked): Ticket {
    if (this.#draining) throw new ApiError("shutting_down");
    const wanted = wantedBy(asked);
    if (!asked.caller.allows(wanted.name)) {
      throw new ApiError("model_not_allowed", {
        message: `The API key may not use the model '${wanted.name}'.`,
        param: "model",
      });
    }
    const known = this.#backends.knows(wanted.model);
    const choice = known ? this.#backends.choose(wanted, undefined) : undefined;
    const ready = choice !== undefined && "ready" in choice ? choice.ready : undefined;
    // Of those that arrive before it is known where they can go, as many as there are slots will not have to wait.
    const room = this.#limits.length + (known ? 0 : this.#slots());
    if (ready === undefined && this.#waiting >= room) throw this.#full();
    const ticket = new Ticket(asked, wanted, {
      queue: (each) => this.#queue(each),
      release: (each) => {
        this.#release(each);
      },
      left: (each) => {
        this.#left(each);
      },
    });
    this.#inside.add(ticket);
    this.#waiting += 1;
    if (ready !== undefined) this.#give(ticket, ready);
    return ticket;
  }

  /**
   * A load has ended; when it failed, those that waited for it try another server or are told why. A load whose context
   * a client chose and that broke the server is not tried on the next.
   */
  loadEnded({ backend, wanted, error }: LoadOutcome): void {
    const isFinal = error?.connectionBroke === true && wanted.context !== undefined;
    for (const queue of this.#queues.values()) {
      for (const ticket of queue) {
        if (!sameModel(ticket.wanted, wanted)) continue;
        ticket.loadEnded();
        if (error === undefined) continue;
        ticket.failedOn(backend, error);
        if (isFinal) ticket.proceed(error);
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
      for (const ticket of this.#inside) ticket.abort(new ApiError("shutting_down"));
    }, timeout);
    await empty;
    clearTimeout(timer);
  }

  /** Waits until the ticket has a slot. @throws ApiError */
  async #queue(ticket: Ticket): Promise<void> {
    const { wanted } = ticket;
    // A server that was gone may be back, and a model that was missing may be there: nothing is refused unasked.
    if (!this.#backends.knows(wanted.model)) await this.#backends.refresh(wanted.model);
    if (ticket.abortReason !== undefined) throw ticket.abortReason;
    if (this.#place(ticket)) return;
    if (this.#waiting > this.#limits.length && !ticket.ran) throw this.#full();
    const queue = this.#queues.get(ticket.key);
    if (queue === undefined) this.#queues.set(ticket.key, [ticket]);
    else if (ticket.isRetry) queue.unshift(ticket);
    else queue.push(ticket);
    try {
      await ticket.wait(
        this.#limits,
        () => new ApiError("queue_timeout", { retryAfter: this.#retryAfter() }),
      );
    } finally {
      this.#unqueue(ticket);
    }
  }

  /** Gives the ticket a slot if there is one for it. @throws ApiError when there can be none */
  #place(ticket: Ticket): boolean {
    const choice = this.#backends.choose(ticket.wanted, ticket.failedBackends);
    if ("impossible" in choice) throw ticket.lastFailure ?? choice.impossible;
    if ("wait" in choice) {
      ticket.waitsFor(choice.wait);
      return false;
    }
    this.#give(ticket, choice.ready);
    return true;
  }

  /** Hands out what has come free: round after round over the keys, one slot each, until nobody can be served. */
  #dispatch(): void {
    const hopeless: LoadRequest[] = [];
    for (let served = true; served;) {
      served = false;
      for (const [key, queue] of this.#queues) {
        const ticket = queue.find((each) => this.#serve(each, hopeless));
        if (ticket === undefined) continue;
        served = true;
        this.#unqueue(ticket);
        // To the end of the order; a map keeps the place of a key that is only set anew.
        this.#queues.delete(key);
        if (queue.length > 0) this.#queues.set(key, queue);
        break;
      }
    }
  }

  #serve(ticket: Ticket, hopeless: LoadRequest[]): boolean {
    if (ticket.failedBackends === undefined && hopeless.some((each) => sameModel(each, ticket.wanted))) {
      return false;
    }
    try {
      if (this.#place(ticket)) {
        ticket.proceed();
        return true;
      }
      if (ticket.failedBackends === undefined) hopeless.push(ticket.wanted);
      return false;
    } catch (error) {
      ticket.proceed(error as ApiError);
      return true;
    }
  }

  #give(ticket: Ticket, backend: Backend): void {
    backend.inFlight += 1;
    backend.breaker.begin();
    this.#waiting -= 1;
    ticket.granted(backend);
  }

  /** The slot is free again; the ticket may go on to wait for another. */
  #release(ticket: Ticket): void {
    const { backend } = ticket;
    if (backend === undefined) return;
    backend.inFlight -= 1;
    backend.breaker.giveUp();
    this.#waiting += 1;
    this.#averageMs += AVERAGE_WEIGHT * (ticket.turn.heldMs - this.#averageMs);
    ticket.granted(undefined);
    if (this.#queues.size > 0) this.#dispatch();
  }

  #left(ticket: Ticket): void {
    if (!this.#inside.delete(ticket)) return;
    this.#waiting -= 1;
    if (this.#inside.size === 0) this.#onEmpty?.();
  }

  #unqueue(ticket: Ticket): void {
    const queue = this.#queues.get(ticket.key);
    const index = queue?.indexOf(ticket) ?? -1;
    if (queue === undefined || index === -1) return;
    queue.splice(index, 1);
    if (queue.length === 0) this.#queues.delete(ticket.key);
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
