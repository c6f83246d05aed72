import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { Kubectl } from "../../../cluster/kubectl.ts";
import { listPods } from "../../../cluster/pods.ts";
import { formatBytes } from "../../../engine/format-bytes.ts";
import { enumerate } from "../../config/enumerate.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { modelRecord, type ModelRecord } from "../../config/models/model-record.ts";
import { recordsFile } from "../../config/kubernetes/pod-models.ts";
import { inspectModel, sizeOf } from "../models/inspect.ts";
import { ModelRegistryClient, type SourceState } from "../models/registry-client.ts";
import { containerHosts } from "../models/registry-hosts.ts";
import { short } from "../models/diff.ts";

const keptRecords = z.array(modelRecord.extend({ retain: z.boolean().default(false) }));
type KeptRecord = z.output<typeof keptRecords>[number];

/** The models installed in a pod; records are undefined if they cannot be read. */
export interface PodRecords {
  readonly pod: string;
  readonly records: readonly KeptRecord[] | undefined;
}

type Sources = Pick<ModelRegistryClient, "resolve">;

export interface PodModelPlan {
  /** Reasons why the update cannot succeed. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** Pulls and deletions. */
  readonly lines: readonly string[];
  /** Installed models, for previews. */
  readonly present: readonly string[];
}

/**
 * Determines and logs which models each Ollama pod will pull and delete. Fails if its registry lacks a model or has it
 * with a digest other than the pinned one.
 *
 * @throws ClusterError when the cluster does not respond
 */
export async function planPodModels(
  config: ParsedConfig,
  namespace: string,
  replicas: number,
): Promise<void> {
  const { kubeconfig, kubeContext: context } = config;
  const kubectl = new Kubectl({ kubeconfig, context, namespace });
  const pods = await readRecords(kubectl, replicas);
  const hosts = await containerHosts({ ...config, dockerHost: "", dockerCertPath: "" });
  const plan = await comparePods(config, pods, withCache(new ModelRegistryClient(hosts)));
  if (plan.problems.length > 0) throw new pulumi.RunError(plan.problems.join("\n"));
  for (const line of plan.warnings) await pulumi.log.warn(line);
  for (const line of plan.lines) await pulumi.log.info(line);
  if (pulumi.runtime.isDryRun()) for (const line of plan.present) await pulumi.log.info(line);
}

/** The models of the pods that exist after the update; new pods have none. */
async function readRecords(kubectl: Kubectl, replicas: number): Promise<PodRecords[]> {
  const there = (await listPods(kubectl, "app=ollama")).filter(({ isTerminating }) => !isTerminating);
  const names = Array.from({ length: replicas }, (_, i) => `ollama-${String(i)}`);
  return await Promise.all(
    names.map(async (pod) => {
      const state = there.find(({ name }) => name === pod);
      if (state === undefined) return { pod, records: [] };
      if (!state.running.includes("models")) return { pod, records: undefined };
      return { pod, records: parseRecords(await kubectl.readFile(pod, "models", recordsFile)) };
    }),
  );
}

/** A pod without installed models has no file. */
function parseRecords(text: string | undefined): readonly KeptRecord[] {
  try {
    return keptRecords.parse(JSON.parse(text ?? "[]"));
  } catch {
    return [];
  }
}

/** Looks each source up once, because several pods have the same models. */
function withCache(client: Sources): Sources {
  const known = new Map<string, Promise<SourceState>>();
  return {
    resolve: (source, insecure) => {
      const key = `${String(insecure)} ${source}`;
      const state = known.get(key) ?? client.resolve(source, insecure);
      known.set(key, state);
      return state;
    },
  };
}

/** Compares the models of pods with a config. Exported for its test. */
export async function comparePods(
  { models }: Pick<ParsedConfig, "models">,
  pods: readonly PodRecords[],
  upstream: Sources,
): Promise<PodModelPlan> {
  const plan = { problems: new Set<string>(), warnings: new Set<string>(), lines: [] as string[] };
  const present: string[] = [];
  for (const model of models) {
    const inspections = await Promise.all(
      pods.map(async ({ pod, records }) => {
        const byName = new Map<string, ModelRecord>((records ?? []).map((record) => [record.name, record]));
        const installed = records === undefined ? undefined : byName;
        const updateCommand = "npm run pin -- --stack NAME, which sets its digest";
        const context = { installed, records: byName, upstream, follow: false, updateCommand };
        return { pod, isKnown: records !== undefined, inspection: await inspectModel(model, context) };
      }),
    );
    for (const { inspection } of inspections) {
      if (inspection.problem !== undefined) plan.problems.add(inspection.problem);
      if (inspection.movedTag !== undefined) plan.warnings.add(inspection.movedTag);
    }
    const pulls = Map.groupBy(inspections, ({ inspection: { action } }) =>
      action.kind === "there" ? undefined : action.why === "new" ? "" : action.why,
    );
    for (const [why, group] of pulls) {
      const [first] = group;
      if (first === undefined) continue;
      if (why === undefined) {
        const record = pods.flatMap(({ records = [] }) => records).find(({ name }) => name === model.name);
        if (record !== undefined)
          present.push(`Model ${model.name} is installed in ${podNames(group)}${sizeAndDigest(record)}`);
        continue;
      }
      const { layers, unreachable, planned } = first.inspection;
      const state = await upstream.resolve(planned.source, planned.insecure);
      const digest = planned.digest ?? ("digest" in state ? state.digest : undefined);
      const size =
        layers === undefined
          ? `size unknown${unreachable === undefined ? "" : `: ${unreachable}`}`
          : `${formatBytes(sizeOf(layers))}${group.length > 1 ? " each" : ""}`;
      const perhaps = group.every(({ isKnown }) => isKnown) ? "" : ", unless already installed";
      const named = digest === undefined ? "" : `, digest ${short(digest)}`;
      const reason = why === "" ? "" : `${why}; `;
      plan.lines.push(
        `Model ${model.name}: ${reason}it will be pulled in ${podNames(group)}, ${size}${named}${perhaps}`,
      );
    }
  }
  return {
    problems: [...plan.problems],
    warnings: [...plan.warnings],
    lines: [...plan.lines, ...removals(models, pods)],
    present,
  };
}

function removals(models: ParsedConfig["models"], pods: readonly PodRecords[]): string[] {
  const listed = new Set(models.map(({ name }) => name));
  const removed = pods.flatMap(({ pod, records = [] }) =>
    records.filter(({ name }) => !listed.has(name)).map((record) => ({ pod, ...record })),
  );
  return [...Map.groupBy(removed, ({ name, retain }) => `${name} ${String(retain)}`).values()].flatMap(
    (group) => {
      const [first] = group;
      if (first === undefined) return [];
      const what = first.retain ? "stays, although the stack no longer lists it," : "will be deleted";
      return [`The model ${first.name} ${what} in ${podNames(group)}${sizeAndDigest(first)}`];
    },
  );
}

function sizeAndDigest({ size, digest }: Pick<ModelRecord, "size" | "digest">): string {
  return `, ${formatBytes(size)}, digest ${short(digest)}`;
}

function podNames(pods: readonly { readonly pod: string }[]): string {
  return enumerate(pods.map(({ pod }) => pod));
}
