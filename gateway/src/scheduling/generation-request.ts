import type { Consumer } from "../auth/consumer.ts";
import type { ModelRequirement, NeededContext } from "../backends/loaded-models.ts";
import type { ParameterNames } from "../errors.ts";
import { canonicalModelName } from "../ollama/model-name.ts";
import { type RunnerOptions, runnerKeyOf, runnerOptionsOf } from "../ollama/runner-options.ts";

/** A generation request, as far as scheduling depends on it. */
export interface GenerationRequest extends ParameterNames {
  readonly path: string;
  readonly body: object;
  /** Consumers share the slots evenly. */
  readonly consumer: Consumer;
  /** The context that the loaded model must have, if the request may not reload the model. */
  readonly neededContext?: NeededContext | undefined;
}

interface Relevant {
  readonly model?: string;
  readonly keep_alive?: unknown;
  readonly options?: RunnerOptions | null;
}

export function modelRequirementOf({ path, body }: GenerationRequest): ModelRequirement {
  const { model: name = "", options: all, keep_alive: keepAlive } = body as Relevant;
  const options = runnerOptionsOf(all);
  const context = typeof options?.num_ctx === "number" ? options.num_ctx : undefined;
  const runner = options === undefined ? "" : runnerKeyOf(options);
  return { name, model: canonicalModelName(name), context, runner, options, path, keepAlive };
}
