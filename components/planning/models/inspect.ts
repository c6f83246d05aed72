import { formatBytes } from "../../../engine/format-bytes.ts";
import type { InstalledModel } from "../../config/models/installed-models.ts";
import { changesOf, changesText, type ModelRecord } from "../../config/models/model-record.ts";
import type { ModelChanges, ModelConfig } from "../../config/models/models.ts";
import { sourceKind } from "../../config/models/model-source.ts";
import type { Layer, SourceState, ModelRegistryClient } from "./registry-client.ts";
import { diffModel, tagMove, short, type ModelAction } from "./diff.ts";

/** A configured model, and whether it must be reinstalled. */
export interface PlannedModel {
  readonly name: string;
  readonly source: string;
  readonly insecure: boolean;
  /** SHA-256 of the source if it is pinned, and always of a local file. */
  readonly digest: string | undefined;
  readonly changes: ModelChanges;
  /** Whether it is preloaded and stays in memory. */
  readonly keepLoaded: boolean;
  /** Whether it stays when it is removed from the list; undefined for the stack's default. */
  readonly retain: boolean | undefined;
  /** Why it must be reinstalled although its definition is unchanged. */
  readonly repair: string | undefined;
}

export interface ModelInspection {
  readonly planned: PlannedModel;
  readonly action: ModelAction;
  /** Layers to transfer; undefined if unknown. */
  readonly layers: readonly Layer[] | undefined;
  /** Why the installation cannot succeed. */
  readonly problem: string | undefined;
  /** Warning that its tag moved and the new version is not installed. */
  readonly movedTag: string | undefined;
  /** Why its source could not be reached. */
  readonly unreachable: string | undefined;
}

export interface InspectionContext {
  /** The server's models; undefined if it does not respond. */
  readonly installed: ReadonlyMap<string, InstalledModel> | undefined;
  /** Records of the last update, by model name. */
  readonly records: ReadonlyMap<string, ModelRecord>;
  /** The server's new volume, if it differs from the one with the installed models. */
  readonly newVolume?: string | undefined;
  readonly upstream: Pick<ModelRegistryClient, "resolve">;
  /** Whether to install the new version of a tag that moved. */
  readonly follow: boolean;
  /** The command that installs it; by default an update with an option. */
  readonly updateCommand?: string;
}

/** Compares a model's config with the server, the last update and its source. */
export async function inspectModel(model: ModelConfig, context: InspectionContext): Promise<ModelInspection> {
  const { name, source = name, insecure = false, digest: pinned } = model;
  const kind = sourceKind(source);
  const changes = changesOf(model);
  const changed = changesText(changes);
  const file =
    kind === "path" && pinned === undefined ? await context.upstream.resolve(source, insecure) : undefined;
  const findings = {
    source,
    changes: changed,
    pin: pinned ?? digestOf(file),
    comparable: kind === "registry" && changed === "",
    record: context.records.get(name),
    installed: context.installed?.get(name),
    serverResponds: context.installed !== undefined,
    newVolume: context.newVolume,
  };
  let action = diffModel(findings);
  // A pinned model that is installed needs no request.
  const needsLookup =
    kind === "registry" ? pinned === undefined || action.kind === "install" : action.kind === "install";
  const upstream = file ?? (needsLookup ? await context.upstream.resolve(source, insecure) : undefined);
  const move = kind === "registry" && action.kind === "there" ? tagMove(findings, upstream) : undefined;
  if (move !== undefined && context.follow)
    action = {
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
    repair: action.kind === "install" && action.repair ? action.why : undefined,
  };
  return {
    planned,
    action,
    layers: layersOf(upstream, findings.pin),
    problem: action.kind === "install" || file !== undefined ? problemWith(planned, upstream) : undefined,
    movedTag:
      move === undefined || context.follow
        ? undefined
        : `Model ${name}: its tag moved in the registry, from ${short(move.from)} to ${short(move.to)}. The installed version stays; to update it: ${context.updateCommand ?? "npm run up -- --update-models"}`,
    unreachable: upstream !== undefined && "unreachable" in upstream ? upstream.unreachable : undefined,
  };
}

function digestOf(upstream: SourceState | undefined): string | undefined {
  return upstream !== undefined && "digest" in upstream ? upstream.digest : undefined;
}

function layersOf(upstream: SourceState | undefined, pin: string | undefined): readonly Layer[] | undefined {
  if (upstream === undefined || !("layers" in upstream)) return undefined;
  // A URL has no digest, but the config pins it.
  if (upstream.digest !== undefined || pin === undefined) return upstream.layers;
  return upstream.layers?.map(({ size }) => ({ digest: `sha256:${pin}`, size }));
}

function problemWith(
  { name, source, digest }: PlannedModel,
  upstream: SourceState | undefined,
): string | undefined {
  if (upstream === undefined) return undefined;
  if ("notFound" in upstream) {
    const check = sourceKind(source) === "registry" ? "Check its name and tag" : "Check its source";
    return `Model ${name}: ${upstream.notFound}. ${check}: pulumi config get models`;
  }
  const found = digestOf(upstream);
  if (digest === undefined || found === undefined || found === digest) return undefined;
  const size =
    "layers" in upstream && upstream.layers !== undefined ? `, ${formatBytes(sizeOf(upstream.layers))}` : "";
  return (
    `Model ${name}: its digest must be ${digest}, but ${source} has ${found}${size}. ` +
    `Find out what changed; to accept it, set the model's digest to the new one.`
  );
}

/** Total size of layers, in bytes. */
export function sizeOf(layers: Iterable<Layer>): number {
  let sum = 0;
  for (const { size } of layers) sum += size;
  return sum;
}
