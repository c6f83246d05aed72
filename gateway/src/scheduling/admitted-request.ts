import type { Abort, Abortable } from "../lib/abortable.ts";
import { fingerprintOf } from "../lib/fingerprint.ts";
import type { Backend } from "../backends/backend.ts";
import { ApiError, type ParameterNames, toApiError } from "../errors.ts";
import { requireContext, tooLong } from "../backends/loaded-context.ts";
import type { ModelRequirement, NeededContext } from "../backends/loaded-models.ts";
import type { OllamaClient } from "../ollama/client.ts";
import { renameParameter } from "../ollama/error-mapping.ts";
import type { IndexedMember } from "../lib/indexed-set.ts";
import { CallTimings } from "./call-timings.ts";
import { type GenerationRequest, modelRequirementOf } from "./generation-request.ts";
import type { WaitState } from "./wait-state.ts";

export interface QueueLimits {
  /** How many requests may wait. */
  readonly length: number;
  /** How long one may wait for a slot, ms. */
  readonly timeoutMs: number;
  /** How often clients that wait for a load get a comment, ms. */
  readonly loadingCommentMs: number;
}

const SLOT: Readonly<WaitState> = { kind: "slot" };

/** What the scheduler does for its requests. */
export interface SchedulerHandle {
  readonly queue: (admitted: AdmittedRequest) => Promise<void>;
  /** Has the slot of a request confirmed where other gateways use the server, too. Undefined: it is. */
  readonly confirm: (admitted: AdmittedRequest, backend: Backend) => Promise<boolean> | undefined;
  readonly release: (admitted: AdmittedRequest) => void;
  readonly left: (admitted: AdmittedRequest) => void;
}

/** A request that has been let in. When it is given up, everything done on its behalf ends. */
export class AdmittedRequest implements Abortable<ApiError>, IndexedMember {
  index = 0;
  readonly key: string;
  /** What it asks now. */
  requirement: ModelRequirement;
  /** Called at intervals while the request waits for the load of its model, or for a first server. */
  onLoading: (() => void) | undefined;
  /** Which conversation it continues, where that may matter. */
  conversation: string | undefined;
  /** The server that runs it. */
  backend: Backend | undefined;
  /** The name of the server that ran it last. */
  backendName: string | undefined;
  #ranBefore: string | undefined;
  /** How long it waited before it lost a slot to another gateway, ms: its time goes on. */
  #waitedMs = 0;
  /** The other gateways know that it has its slot. */
  isConfirmed = false;
  /** It lost the slot that it was to get to another gateway. */
  wasDenied = false;
  failedBackends: Set<Backend> | undefined;
  lastFailure: ApiError | undefined;
  readonly #words: ParameterNames;
  #body: object;
  readonly #mayChooseContext: boolean;
  readonly #neededContext: NeededContext | undefined;
  readonly #scheduler: SchedulerHandle;
  abortReason: ApiError | undefined;
  underWay: Abort<ApiError> | undefined;
  #controller: AbortController | undefined;
  #timings = new CallTimings();
  /** The turns before this one. */
  #pastTimings: CallTimings[] | undefined;
  /** What it waits for, while it does. */
  waitState: Readonly<WaitState> = SLOT;
  #deadline: NodeJS.Timeout | undefined;
  #settle: { resolve(): void; reject(error: ApiError): void } | undefined;

  constructor(asked: GenerationRequest, requirement: ModelRequirement, scheduler: SchedulerHandle) {
    this.key = asked.consumer.name;
    this.#words = asked;
    this.#mayChooseContext = asked.consumer.options;
    this.#neededContext = asked.neededContext;
    this.requirement = requirement;
    this.#body = asked.body;
    this.#scheduler = scheduler;
  }

  /** For code that takes only signals; made when first used. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.abortReason !== undefined) this.#controller.abort(this.abortReason);
    }
    return this.#controller.signal;
  }

  /** One for each of its calls. */
  get allTimings(): readonly CallTimings[] {
    return this.#pastTimings === undefined ? [this.#timings] : [...this.#pastTimings, this.#timings];
  }

  /** Of the slot that it waits for or has. */
  get timings(): CallTimings {
    return this.#timings;
  }

  /** How long it waited for a slot, ms. */
  get queueMs(): number {
    return this.#sum("queueMs");
  }

  /** How long it waited for loads, ms. */
  get loadMs(): number {
    return this.#sum("loadMs");
  }

  /** How long it has had a slot, ms. */
  get heldMs(): number {
    return this.#sum("heldMs");
  }

  #sum(what: "queueMs" | "loadMs" | "heldMs"): number {
    const past = this.#pastTimings?.reduce((sum, timings) => sum + timings[what], 0) ?? 0;
    return past + this.#timings[what];
  }

  /** It had its turn, and waits again for no fault of its own. */
  get isRetry(): boolean {
    return this.failedBackends !== undefined || this.wasDenied;
  }

  abort(reason: ApiError): void {
    if (this.abortReason !== undefined) return;
    this.abortReason = reason;
    this.#controller?.abort(reason);
    this.underWay?.abort(reason);
    this.proceed(reason);
  }

  /**
   * Does the request's work on a server that can run it, as soon as it has a slot. When a server fails before
   * anything of the response was there, another one gets it.
   *
   * @throws ApiError
   */
  async run<Result>(work: (ollama: OllamaClient) => Promise<Result>): Promise<Result> {
    for (;;) {
      if (this.backend === undefined) await this.#scheduler.queue(this);
      const { backend } = this;
      if (backend === undefined) throw new ApiError("internal_error");
      const confirming = this.#scheduler.confirm(this, backend);
      if (confirming !== undefined) {
        const isOurs = await confirming;
        if (this.abortReason !== undefined) throw this.abortReason;
        if (!isOurs) continue;
      }
      try {
        if (this.#neededContext !== undefined) {
          await requireContext(backend, this.requirement, this.#neededContext);
        }
        const result = await work(backend.client);
        backend.succeeded(this.requirement);
        return result;
      } catch (thrown) {
        const failure = toApiError(thrown);
        backend.failed(failure, this.requirement.model, this.#source());
        if (failure.code === "context_length_exceeded") {
          throw await tooLong(
            backend,
            failure,
            this.requirement,
            this.#body,
            this.#words.subject,
            this.#mayChooseContext,
          );
        }
        if (failure.code === "unsupported_parameter") throw renameParameter(this.#words, failure);
        if (!failure.retryable || this.abortReason !== undefined) throw failure;
        this.failedOn(backend, failure);
        this.#scheduler.release(this);
      }
    }
  }

  /**
   * Gives the slot back and asks the next thing, which waits for a slot of its own: whoever waits already is served
   * first. It was let in with the first, so that neither a full queue nor a gateway that drains turns it away.
   *
   * @throws ApiError when the request was given up
   */
  next(asked: GenerationRequest): void {
    this.#scheduler.release(this);
    if (this.abortReason !== undefined) throw this.abortReason;
    (this.#pastTimings ??= []).push(this.#timings);
    this.#timings = new CallTimings();
    this.requirement = modelRequirementOf(asked);
    this.conversation = undefined;
    this.#body = asked.body;
    this.waitState = SLOT;
    this.failedBackends = undefined;
    this.lastFailure = undefined;
    this.wasDenied = false;
  }

  /** Gives the place back; has to be called once, however the request ended. */
  leave(): void {
    this.#scheduler.release(this);
    this.#scheduler.left(this);
  }

  failedOn(backend: Backend, failure: ApiError): void {
    (this.failedBackends ??= new Set()).add(backend);
    this.lastFailure = failure;
  }

  /** Who sent it: the consumer. Without keys all clients look the same, so the same request stands for the same client. */
  #source(): string {
    return this.key === "" ? fingerprintOf(this.#body) : this.key;
  }

  granted(backend: Backend | undefined): void {
    if (this.backend !== undefined) this.#timings.end();
    this.backend = backend;
    if (backend === undefined) {
      this.#waitedMs = 0;
      return;
    }
    this.#ranBefore = this.backendName;
    this.backendName = backend.name;
    this.#timings.begin();
  }

  /** Another gateway took the slot that it was granted. */
  denied(): void {
    this.#timings.revoke();
    this.backend = undefined;
    this.backendName = this.#ranBefore;
    this.wasDenied = true;
  }

  /** Whether it ever had a slot. */
  get ran(): boolean {
    return this.backendName !== undefined;
  }

  get waitsForLoad(): boolean {
    return this.waitState.kind === "load";
  }

  loadEnded(): void {
    if (this.waitsForLoad) this.#timings.loaded();
    this.#deadline?.refresh();
  }

  /** Ends the waiting: with a slot, or with the reason why there is none. */
  proceed(error?: ApiError): void {
    if (error === undefined) this.#settle?.resolve();
    else this.#settle?.reject(error);
  }

  /** Resolves when it has a slot. @throws ApiError */
  async wait({ timeoutMs, loadingCommentMs }: QueueLimits, tooLate: () => ApiError): Promise<void> {
    const turn = new Promise<void>((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    const since = performance.now();
    // A load has a deadline of its own; the time after it starts again at zero.
    this.#deadline = setInterval(
      () => {
        if (!this.waitsForLoad) this.proceed(tooLate());
      },
      Math.max(1, timeoutMs - this.#waitedMs),
    );
    const comments = setInterval(() => {
      if (this.waitState.kind !== "slot") this.onLoading?.();
    }, loadingCommentMs);
    try {
      await turn;
    } finally {
      clearInterval(this.#deadline);
      clearInterval(comments);
      this.#waitedMs += performance.now() - since;
      this.waitState = SLOT;
      this.#settle = undefined;
    }
  }
}
