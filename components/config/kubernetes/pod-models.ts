import { z } from "zod";
import type { GivenConfig } from "../keys.ts";
import type { ModelChanges } from "../models/models.ts";

// What the keeper of a pod's models reads: the models that the pod is to have.

/** The keeper's program in its image, below /app. */
export const keeperFile = "keep-models.cjs";

/** Where in its container it writes how far it is. */
export const stateFile = "/state/state.json";
/** Where it keeps what it has installed: beside the models, which it is about. */
export const recordsFile = "/models/.ollama-stack.json";

const podModel = z.object({
  name: z.string(),
  source: z.string(),
  insecure: z.boolean(),
  digest: z.string().optional(),
  changes: z.custom<ModelChanges>((value) => typeof value === "object"),
  /** Whether the source's own name stays, because it is a model of the stack, too. */
  keepSource: z.boolean(),
  /** Whether it stays when it is taken from the list. */
  retain: z.boolean(),
});

export const podModelList = z.object({
  /** Seconds without a byte after which a pull is started again. */
  stallSeconds: z.number(),
  models: z.array(podModel),
});
export type PodModel = z.output<typeof podModel>;
export type PodModels = z.output<typeof podModelList>;

/** What a config says of it. */
export function podModels({ models, pullStallSeconds, retainModels }: GivenConfig): PodModels {
  const names = new Set(models.map(({ name }) => name));
  return {
    stallSeconds: pullStallSeconds,
    models: models.map(({ name, source = name, insecure = false, digest, retain, ...own }) => ({
      name,
      source,
      insecure,
      ...(digest === undefined ? {} : { digest }),
      changes: {
        ...(own.parameters === undefined ? {} : { parameters: own.parameters }),
        ...(own.template === undefined ? {} : { template: own.template }),
        ...(own.system === undefined ? {} : { system: own.system }),
      },
      keepSource: names.has(source),
      retain: retain ?? retainModels,
    })),
  };
}

/** How far the keeper of a pod is. */
const keeperState = z.object({
  /** Of the list of models that it has seen last. */
  version: z.string(),
  /** Whether all of that list is there. */
  complete: z.boolean(),
  /** The last thing that it said. */
  line: z.string(),
  /** Why it cannot go on by itself. */
  problem: z.string().optional(),
  models: z.array(z.object({ name: z.string(), digest: z.string(), size: z.number() })),
  /** Which of these are not in the memory of the pod's GPUs, and why; undefined while it is not known. */
  gpuProblems: z.array(z.string()).optional(),
});
export type KeeperState = z.output<typeof keeperState>;

/** What the file of a keeper says; undefined where there is none that can be read. */
export function parseKeeperState(text: string | undefined): KeeperState | undefined {
  try {
    return text === undefined ? undefined : keeperState.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
