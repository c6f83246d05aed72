import { z } from "zod";
import type { ParsedConfig } from "../keys.ts";
import { changesOf } from "../models/model-record.ts";
import type { ModelChanges } from "../models/models.ts";

// The list of models that a pod's model keeper reads, and the state that it writes.

/** The keeper's program in its image, below /app. */
export const keeperFile = "keep-models.cjs";

/** Its state file, in its container. */
export const stateFile = "/state/state.json";
/** Its records of installed models, on the same volume as the models. */
export const recordsFile = "/models/.ollama-stack.json";

const podModel = z.object({
  name: z.string(),
  source: z.string(),
  insecure: z.boolean(),
  digest: z.string().optional(),
  changes: z.custom<ModelChanges>((value) => typeof value === "object"),
  /** Whether the source keeps its own name, because the stack also lists it as a model. */
  keepSource: z.boolean(),
  /** Whether it stays when it is removed from the list. */
  retain: z.boolean(),
});

export const podModelList = z.object({
  /** Seconds without a byte after which a pull is restarted. */
  stallSeconds: z.number(),
  models: z.array(podModel),
});
export type PodModel = z.output<typeof podModel>;
export type PodModels = z.output<typeof podModelList>;

/** The model list of a config. */
export function podModels({ models, pullStallSeconds, retainModels }: ParsedConfig): PodModels {
  const names = new Set(models.map(({ name }) => name));
  return {
    stallSeconds: pullStallSeconds,
    models: models.map((model) => {
      const { name, source = name, insecure = false, digest, retain = retainModels } = model;
      return {
        name,
        source,
        insecure,
        ...(digest === undefined ? {} : { digest }),
        changes: changesOf(model),
        keepSource: names.has(source),
        retain,
      };
    }),
  };
}

/** The progress of a pod's model keeper. */
const keeperState = z.object({
  /** Version of the last model list that it read. */
  version: z.string(),
  /** Whether all models of that list are installed. */
  complete: z.boolean(),
  /** Whether it is installing models, which fails by itself without progress. Undefined for older versions. */
  isInstalling: z.boolean().optional(),
  /** The last line that it logged. */
  line: z.string(),
  /** An error that retrying cannot fix. */
  problem: z.string().optional(),
  models: z.array(z.object({ name: z.string(), digest: z.string(), size: z.number() })),
  /** Models that are not in GPU memory, and why; undefined until checked. */
  gpuProblems: z.array(z.string()).optional(),
});
export type KeeperState = z.output<typeof keeperState>;

/** Parses a keeper's state file; undefined if it is missing or invalid. */
export function parseKeeperState(text: string | undefined): KeeperState | undefined {
  try {
    return text === undefined ? undefined : keeperState.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
