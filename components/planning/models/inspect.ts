import { formatBytes } from "../../../engine/format-bytes.ts";
import type { InstalledModel } from "../../config/models/installed-models.ts";
import { changesText, type ModelRecord } from "../../config/models/model-record.ts";
import type { ModelChanges, ModelConfig } from "../../config/models/models.ts";
import { sourceKind } from "../../config/models/model-source.ts";
import type { Layer, SourceState, ModelRegistryClient } from "./registry-client.ts";
import { diffModel, moved, short, type ModelAction } from "./diff.ts";

/** A model as the config wants it, and what is to be done about it. */
export interface PlannedModel {
  readonly name: string;
  readonly source: string;
  readonly insecure: boolean;
  /** SHA-256 of the source, if it is pinned; a local file's always. */
  readonly digest: string | undefined;
  readonly changes: ModelChanges;
  /** Whether it is loaded before anybody asks, and stays so. */
  readonly keepLoaded: boolean;
  /** Whether it stays when it is taken from the list; undefined means what the stack says for all. */
  readonly retain: boolean | undefined;
  /** Why it must be installed again, though its definition is the same. */
  readonly repair: string | undefined;
}

export interface ModelInspection {
  readonly planned: PlannedModel;
  readonly verdict: ModelAction;
  /** What will be transferred; undefined when it is not known. */
  readonly layers: readonly Layer[] | undefined;
  /** Why it cannot succeed. */
  readonly problem: string | undefined;
  /** Its tag means something else by now, and that is not followed. */
  readonly moved: string | undefined;
  /** Which registries could not be reached, and why. */
  readonly silent: string | undefined;
}

export interface InspectionContext {
  /** What the server has; undefined when it does not answer. */
  readonly installed: ReadonlyMap<string, InstalledModel> | undefined;
  /** What the last update installed, by name. */
  readonly records: ReadonlyMap<string, ModelRecord>;
  /** The volume that the server is to have in place of the one that these were installed in, if that is another. */
  readonly newVolume?: string | undefined;
  readonly upstream: Pick<ModelRegistryClient, "ask">;
  /** Whether tags that moved are followed. */
  readonly follow: boolean;
  /** The command that follows one; an update with an option unless given. */
  readonly followBy?: string;
}

/** Looks at one model: what is there, what the last update knew, what its source has now. */
export async function inspectModel(model: ModelConfig, around: InspectionContext): Promise<ModelInspection> {
  const { name, source = name, insecure = false, digest: pinned } = model;
  const kind = sourceKind(source);
  const changes = changesOf(model);
  const changed = changesText(changes);
  const file =
    kind === "path" && pinned === undefined ? await around.upstream.ask(source, insecure) : undefined;
  const findings = {
    source,
    changes: changed,
    pin: pinned ?? digestOf(file),
    comparable: kind === "registry" && changed === "",
    record: around.records.get(name),
    installed: around.installed?.get(name),
    serverAnswers: around.installed !== undefined,
    newVolume: around.newVolume,
  };
  let verdict = diffModel(findings);
  // A pinned model that is installed needs no request.
  const asked =
    kind === "registry" ? pinned === undefined || verdict.kind === "install" : verdict.kind === "install";
  const upstream = file ?? (asked ? await around.upstream.ask(source, insecure) : undefined);
  const move = kind === "registry" && verdict.kind === "there" ? moved(findings, upstream) : undefined;
  if (move !== undefined && around.follow)
    verdict = {
      kind: "install",
      why: `its tag moved from ${short(move.from)} to ${short(move.to)}`,
      repair: true,
    };
  const planned = {
    name,
    source,
    insecure,
    digest: findings.pin,
    changes,
    keepLoaded: model.keepLoaded === true,
    retain: model.retain,
    repair: verdict.kind === "install" && verdict.repair ? verdict.why : undefined,
  };
  return {
    planned,
    verdict,
    layers: layersOf(upstream, findings.pin),
    problem: verdict.kind === "install" || file !== undefined ? problemWith(planned, upstream) : undefined,
    moved:
      move === undefined || around.follow
        ? undefined
        : `Model ${name}: its tag moved in the registry, from ${short(move.from)} to ${short(move.to)}. It stays as it is; to follow: ${around.followBy ?? "npm run up -- --update-models"}`,
    silent: upstream !== undefined && "silent" in upstream ? upstream.silent : undefined,
  };
}

/** What of a model differs from its source. */
function changesOf({ parameters, template, system }: ModelConfig): ModelChanges {
  return {
    ...(parameters === undefined ? {} : { parameters }),
    ...(template === undefined ? {} : { template }),
    ...(system === undefined ? {} : { system }),
  };
}

function digestOf(upstream: SourceState | undefined): string | undefined {
  return upstream !== undefined && "digest" in upstream ? upstream.digest : undefined;
}

function layersOf(upstream: SourceState | undefined, pin: string | undefined): readonly Layer[] | undefined {
  if (upstream === undefined || !("layers" in upstream)) return undefined;
  // A URL does not tell its digest; the config does.
  if (upstream.digest !== undefined || pin === undefined) return upstream.layers;
  return upstream.layers?.map(({ size }) => ({ digest: `sha256:${pin}`, size }));
}

function problemWith(
  { name, source, digest }: PlannedModel,
  upstream: SourceState | undefined,
): string | undefined {
  if (upstream === undefined) return undefined;
  if ("absent" in upstream) {
    const check = sourceKind(source) === "registry" ? "Check its name and tag" : "Check its source";
    return `Model ${name}: ${upstream.absent}. ${check}: pulumi config get models`;
  }
  const found = digestOf(upstream);
  if (digest === undefined || found === undefined || found === digest) return undefined;
  const size =
    "layers" in upstream && upstream.layers !== undefined ? `, ${formatBytes(sizeOf(upstream.layers))}` : "";
  return (
    `Model ${name}: its digest must be ${digest}, but ${source} has ${found}${size}. ` +
    `Find out what changed; to take it, set the model's digest to that.`
  );
}

/** Bytes of some layers. */
export function sizeOf(layers: Iterable<Layer>): number {
  let sum = 0;
  for (const { size } of layers) sum += size;
  return sum;
}
