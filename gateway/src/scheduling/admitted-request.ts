import type { Abort, Abortable } from "../lib/abortable.ts";
import { fingerprintOf } from "../lib/fingerprint.ts";
import type { Backend } from "../backends/backend.ts";
import { ApiError, type ParameterNames, toApiError } from "../errors.ts";
import { requireContext, contextExceededError } from "../backends/loaded-context.ts";
import type { ModelRequirement, NeededContext } from "../backends/loaded-models.ts";
import type { OllamaClient } from "../ollama/client.ts";
import { renameParameter } from "../ollama/error-mapping.ts";
import type { IndexedMember } from "../lib/indexed-set.ts";
import { CallTimings } from "./call-timings.ts";
import { type GenerationRequest, modelRequirementOf } from "./generation-request.ts";
import { SlotWait } from "./slot-wait.ts";

/** The scheduler as its requests see it. */
export interface SchedulerHandle {
  readonly queue: (admitted: AdmittedRequest) => Promise<void>;
  /**
   * Confirms a slot of a backend that other gateways also use. Undefined if it needs no confirmation; resolves to false
   * if another gateway took the slot.
   */
  readonly confirm: (admitted: AdmittedRequest, backend: Backend) => Promise<boolean> | undefined;
  readonly release: (admitted: AdmittedRequest) => void;
  readonly remove: (admitted: AdmittedRequest) => void;
}

/** A request admitted by the scheduler. Aborting it stops all work on its behalf. */
export class AdmittedRequest implements Abortable<ApiError>, IndexedMember {
  index = 0;
  readonly key: string;
  /** What its current call needs. */
  requirement: ModelRequirement;
  /** Its wait for a slot. */
  readonly wait = new SlotWait();
  /** The conversation that it continues, for backend affinity. */
  conversation: string | undefined;
  /** The backend that runs it. */
  backend: Backend | undefined;
  /** The backend that ran it last. */
  backendName: string | undefined;
  #previousBackendName: string | undefined;
  /** Whether the shared slot has been taken in the shared state. */
  isConfirmed = false;
  /** Whether it lost its slot to another gateway. */
  lostSlot = false;
  /** Whether it is a trial of its backend's circuit breaker. */
  isTrial = false;
  failedBackends: Set<Backend> | undefined;
  lastFailure: ApiError | undefined;
  readonly #parameterNames: ParameterNames;
  #body: object;
  readonly #mayChooseContext: boolean;
  readonly #neededContext: NeededContext | undefined;
  readonly #scheduler: SchedulerHandle;
  abortReason: ApiError | undefined;
  activeOperation: Abort<ApiError> | undefined;
  #controller: AbortController | undefined;
  /** Of the current call. */
  timings = new CallTimings();
  /** One entry per call, the current one last. */
  readonly allTimings: CallTimings[] = [this.timings];

  constructor(request: GenerationRequest, requirement: ModelRequirement, scheduler: SchedulerHandle) {
    this.key = request.consumer.name;
    this.#parameterNames = request;
    this.#mayChooseContext = request.consumer.options;
    this.#neededContext = request.neededContext;
    this.requirement = requirement;
    this.#body = request.body;
    this.#scheduler = scheduler;
  }

  /** For APIs that take a signal; created on first use. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.abortReason !== undefined) this.#controller.abort(this.abortReason);
    }
    return this.#controller.signal;
  }

  /** Total queue time, in milliseconds. */
  get queueMs(): number {
    return this.#sum("queueMs");
  }

  /** Total time spent waiting for model loads, in milliseconds. */
  get loadMs(): number {
    return this.#sum("loadMs");
  }

  /** Total time with a slot, in milliseconds. */
  get heldMs(): number {
    return this.#sum("heldMs");
  }

  #sum(what: "queueMs" | "loadMs" | "heldMs"): number {
    return this.allTimings.reduce((sum, timings) => sum + timings[what], 0);
  }

  /** Whether it must be queued again although it already had a slot. */
  get isRetry(): boolean {
    return this.failedBackends !== undefined || this.lostSlot;
  }

  abort(reason: ApiError): void {
    if (this.abortReason !== undefined) return;
    this.abortReason = reason;
    this.#controller?.abort(reason);
    this.activeOperation?.abort(reason);
    this.wait.end(reason);
  }

  /**
   * Runs `work` on a backend as soon as a slot is free. Retries on another backend if one fails before it has sent any
   * response.
   *
   * @param check called with a slot, before `work`; rejects requests that the backend would reject
   * @throws ApiError
   */
  async run<Result>(
    work: (ollama: OllamaClient) => Promise<Result>,
    check?: () => Promise<void>,
  ): Promise<Result> {
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
      let isChecked = false;
      try {
        if (this.#neededContext !== undefined) {
          await requireContext(backend, this.requirement, this.#neededContext);
        }
        if (check !== undefined) await check();
        isChecked = true;
        const result = await work(backend.client);
        backend.succeeded(this.requirement);
        return result;
      } catch (thrown) {
        const failure = toApiError(thrown);
        // A failed check says nothing about the backend.
        if (isChecked) backend.failed(failure, this.requirement.model, this.#source());
        if (failure.code === "context_length_exceeded") {
          throw await contextExceededError(
            backend,
            failure,
            this.requirement,
            this.#body,
            this.#parameterNames.subject,
            this.#mayChooseContext,
          );
        }
        if (failure.code === "unsupported_parameter" || failure.code === "invalid_value")
          throw renameParameter(this.#parameterNames, failure);
        if (!failure.retryable || this.abortReason !== undefined) throw failure;
        this.failedOn(backend, failure);
        this.#scheduler.release(this);
      }
    }
  }

  /**
   * Releases the slot and prepares the next call, which queues for a slot again. The request stays admitted, so neither
   * a full queue nor a drain rejects it.
   *
   * @throws ApiError if the request was aborted
   */
  next(request: GenerationRequest): void {
    this.#scheduler.release(this);
    if (this.abortReason !== undefined) throw this.abortReason;
    this.timings = new CallTimings();
    this.allTimings.push(this.timings);
    this.requirement = modelRequirementOf(request);
    this.conversation = undefined;
    this.#body = request.body;
    this.failedBackends = undefined;
    this.lastFailure = undefined;
    this.lostSlot = false;
  }

  /** Releases the slot and ends the admission. Must be called exactly once, however the request ended. */
  leave(): void {
    this.#scheduler.release(this);
    this.#scheduler.remove(this);
  }

  failedOn(backend: Backend, failure: ApiError): void {
    (this.failedBackends ??= new Set()).add(backend);
    this.lastFailure = failure;
  }

  /**
   * Identifies the sender for failure tracking. Without keys all clients look alike, so equal bodies count as one
   * sender.
   */
  #source(): string {
    return this.key === "" ? fingerprintOf(this.#body) : this.key;
  }

  assign(backend: Backend | undefined): void {
    if (this.backend !== undefined) this.timings.end();
    this.backend = backend;
    if (backend === undefined) {
      this.wait.forget();
      return;
    }
    this.#previousBackendName = this.backendName;
    this.backendName = backend.name;
    this.timings.begin();
  }

  /** Returns the granted slot, which another gateway took. */
  revoke(): void {
    this.timings.revoke();
    this.backend = undefined;
    this.backendName = this.#previousBackendName;
    this.lostSlot = true;
  }

  /** Whether it ever had a slot. */
  get ran(): boolean {
    return this.backendName !== undefined;
  }

  get waitsForLoad(): boolean {
    return this.wait.isForLoad;
  }

  /** Loads have their own timeout; the queue timeout restarts when the load ends. */
  loadEnded(): void {
    if (!this.waitsForLoad) return;
    this.timings.loaded();
    this.wait.restart();
  }
}
