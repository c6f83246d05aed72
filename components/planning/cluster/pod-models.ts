import * as pulumi from "@pulumi/pulumi";
import { z } from "zod";
import { ClusterError, Kubectl } from "../../../cluster/kubectl.ts";
import { listPods } from "../../../cluster/pods.ts";
import { formatBytes } from "../../../engine/format-bytes.ts";
import type { ParsedConfig } from "../../config/keys.ts";
import { modelRecord, type ModelRecord } from "../../config/models/model-record.ts";
import { recordsFile } from "../../config/kubernetes/pod-models.ts";
import { inspectModel, sizeOf } from "../models/inspect.ts";
import { ModelRegistryClient, type SourceState } from "../models/registry-client.ts";
import { containerHosts } from "../models/registry-hosts.ts";
import { short } from "../models/diff.ts";

const keptRecords = z.array(modelRecord.extend({ retain: z.boolean().default(false) }));
type KeptRecord = z.output<typeof keptRecords>[number];

/** What a pod has of models; undefined when it cannot be asked. */
export interface PodRecords {
  readonly pod: string;
  readonly records: readonly KeptRecord[] | undefined;
}

/** Where a model's source is, and whether pods know it by another address than this machine. */
type Sources = Pick<ModelRegistryClient, "ask">;

export interface PodModelPlan {
  /** Why it cannot succeed. */
  readonly problems: readonly string[];
  readonly warnings: readonly string[];
  /** What is pulled and deleted. */
  readonly lines: readonly string[];
  /** What is there already, for previews. */
  readonly present: readonly string[];
}

/**
 * Finds out which models each pod of Ollama will pull and delete, and says so. Refuses what cannot succeed: a model that
 * its registry does not have, or not with the digest that is pinned.
 */
export async function planPodModels(
  config: ParsedConfig,
  namespace: string,
  replicas: number,
): Promise<void> {
  const { kubeconfig, kubeContext: context } = config;
  const kubectl = new Kubectl({ kubeconfig, context, namespace });
  let pods;
  try {
    pods = await readRecords(kubectl, replicas);
  } catch (error) {
    if (!(error instanceof ClusterError)) throw error;
    throw new pulumi.RunError(error.message);
  }
  const hosts = await containerHosts({ ...config, dockerHost: "", dockerCertPath: "" });
  const plan = await comparePods(config, pods, askingOnce(new ModelRegistryClient(hosts)));
  if (plan.problems.length > 0) throw new pulumi.RunError(plan.problems.join("\n"));
  for (const line of plan.warnings) await pulumi.log.warn(line);
  for (const line of plan.lines) await pulumi.log.info(line);
  if (pulumi.runtime.isDryRun()) for (const line of plan.present) await pulumi.log.info(line);
}

/** What pods have now that will be there after the update; those to come have nothing. */
async function readRecords(kubectl: Kubectl, replicas: number): Promise<PodRecords[]> {
  const there = (await listPods(kubectl, "app=ollama")).filter(({ isGoing }) => !isGoing);
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

/** A pod that has installed nothing has no file. */
function parseRecords(text: string | undefined): readonly KeptRecord[] {
  try {
    return keptRecords.parse(JSON.parse(text ?? "[]"));
  } catch {
    return [];
  }
}

/** Several pods have the same models. */
function askingOnce(client: Sources): Sources {
  const known = new Map<string, Promise<SourceState>>();
  return {
    ask: (source, insecure) => {
      const key = `${String(insecure)} ${source}`;
      const state = known.get(key) ?? client.ask(source, insecure);
      known.set(key, state);
      return state;
    },
  };
}

/** Compares what pods have with what a config wants. Exported for its test. */
export async function comparePods(
  { models }: Pick<ParsedConfig, "models">,
  pods: readonly PodRecords[],
  upstream: Sources,
): Promise<PodModelPlan> {
  const plan = { problems: new Set<string>(), warnings: new Set<string>(), lines: [] as string[] };
  const present: string[] = [];
  for (const model of models) {
    const looks = await Promise.all(
      pods.map(async ({ pod, records }) => {
        const byName = new Map<string, ModelRecord>((records ?? []).map((record) => [record.name, record]));
        const installed = records === undefined ? undefined : byName;
        const followBy = "npm run pin -- --stack NAME, which sets its digest";
        const around = { installed, records: byName, upstream, follow: false, followBy };
        return { pod, isKnown: records !== undefined, look: await inspectModel(model, around) };
      }),
    );
    for (const { look } of looks) {
      if (look.problem !== undefined) plan.problems.add(look.problem);
      if (look.moved !== undefined) plan.warnings.add(look.moved);
    }
    const pulls = Map.groupBy(looks, ({ look: { verdict } }) =>
      verdict.kind === "there" ? undefined : verdict.why === "new" ? "" : verdict.why,
    );
    for (const [why, group] of pulls) {
      const [first] = group;
      if (first === undefined) continue;
      if (why === undefined) {
        const record = pods.flatMap(({ records = [] }) => records).find(({ name }) => name === model.name);
        if (record !== undefined)
          present.push(`Model ${model.name} is there in ${podNames(group)}${described(record)}`);
        continue;
      }
      const { layers, silent, planned } = first.look;
      const state = await upstream.ask(planned.source, planned.insecure);
      const digest = planned.digest ?? ("digest" in state ? state.digest : undefined);
      const size =
        layers === undefined
          ? `its size is not known${silent === undefined ? "" : `: ${silent}`}`
          : `${formatBytes(sizeOf(layers))}${group.length > 1 ? " each" : ""}`;
      const perhaps = group.every(({ isKnown }) => isKnown) ? "" : ", unless it is there already";
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
  const wanted = new Set(models.map(({ name }) => name));
  const leaving = pods.flatMap(({ pod, records = [] }) =>
    records.filter(({ name }) => !wanted.has(name)).map((record) => ({ pod, ...record })),
  );
  return [...Map.groupBy(leaving, ({ name, retain }) => `${name} ${String(retain)}`).values()].flatMap(
    (group) => {
      const [first] = group;
      if (first === undefined) return [];
      const what = first.retain ? "stays, though the stack no longer has it," : "will be deleted";
      return [`The model ${first.name} ${what} in ${podNames(group)}${described(first)}`];
    },
  );
}

function described({ size, digest }: Pick<ModelRecord, "size" | "digest">): string {
  return `, ${formatBytes(size)}, digest ${short(digest)}`;
}

function podNames(pods: readonly { readonly pod: string }[]): string {
  const names = pods.map(({ pod }) => pod);
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(", ")} and ${names.at(-1) ?? ""}`;
}
