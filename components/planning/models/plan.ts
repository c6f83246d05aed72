import * as pulumi from "@pulumi/pulumi";
import type { StackConfig } from "../../config/keys.ts";
import type { Connection } from "../../../engine/connection.ts";
import { withTunnel } from "../../../engine/with-tunnel.ts";
import { EngineError } from "../../../engine/docker-cli.ts";
import { formatBytes } from "../../../engine/format-bytes.ts";
import { freeBytes, type ModelVolume, volumeExists } from "./disk-space.ts";
import { containerHosts } from "./registry-hosts.ts";
import { installedModels, presentLayers } from "./installed.ts";
import { readLastUpdate } from "./last-update.ts";
import { type ModelInspection, inspectModel, type PlannedModel, sizeOf } from "./inspect.ts";
import { sourceKind } from "../../config/models/model-source.ts";
import { type Layer, ModelRegistryClient } from "./registry-client.ts";

/** The server whose models are planned. */
export interface ModelServer {
  /** Where commands reach it while it runs. */
  readonly url: string;
  readonly volume: ModelVolume;
}

/**
 * Determines and logs what an update does about the models: pulls with their sizes, repairs of manual changes, tags that
 * moved. Fails before any change if the update cannot succeed.
 */
export async function planModels(
  config: StackConfig,
  access: Connection,
  server: ModelServer,
): Promise<PlannedModel[]> {
  const environment = { ...process.env, ...access.environment };
  try {
    return await withTunnel(server.url, (url) => plan(config, { ...server, url }), environment);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    // Without the stack's network there is no server yet.
    return await plan(config, server);
  }
}

async function plan(config: StackConfig, server: ModelServer): Promise<PlannedModel[]> {
  const [running, { records, volume }, hosts] = await Promise.all([
    installedModels(server.url),
    readLastUpdate(server.volume.path),
    containerHosts(config),
  ]);
  const newVolume = volume === undefined || volume === server.volume.name ? undefined : server.volume.name;
  // The running server still uses the old volume.
  const fromServer = newVolume === undefined ? running : undefined;
  // If the server does not respond but its volume exists, or may exist, its content is unknown.
  const mayExist = fromServer === undefined && (await volumeExists(server.volume).catch(() => true));
  const installed = fromServer ?? (mayExist ? undefined : new Map());
  const upstream = new ModelRegistryClient(hosts);
  // Set by `npm run up -- --update-models`.
  const follow = process.env["OLLAMA_STACK_UPDATE_MODELS"] === "true";
  const inspections = await Promise.all(
    config.models.map((model) => inspectModel(model, { installed, records, newVolume, upstream, follow })),
  );
  const problems = inspections.map(({ problem }) => problem).filter((line) => line !== undefined);
  if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));
  await report(inspections, server, { responds: fromServer !== undefined, known: installed !== undefined });
  return inspections.map(({ planned }) => planned);
}

interface Known {
  /** Whether the server responds, so that it can list layers. */
  readonly responds: boolean;
  /** Whether the volume's content is known. */
  readonly known: boolean;
}

/** Logs one line for each change, and fails if the disk is too small. */
async function report(
  inspections: readonly ModelInspection[],
  server: ModelServer,
  { responds, known }: Known,
): Promise<void> {
  const installs = inspections.filter(({ action }) => action.kind === "install");
  const layers = new Map(
    installs.flatMap((inspection) => inspection.layers ?? []).map((layer) => [layer.digest, layer]),
  );
  const present = responds ? await presentLayers(server.url, layers.keys()) : new Set<string>();
  const missing = [...layers.values()].filter(({ digest }) => !present.has(digest));
  const log = { info: pulumi.log.info.bind(pulumi.log), warn: pulumi.log.warn.bind(pulumi.log) };
  for (const { planned, action, layers: own, unreachable } of installs) {
    if (action.kind !== "install") continue;
    const { name, source, repair } = planned;
    const how = sourceKind(source) === "registry" ? "pulled" : "uploaded";
    const why = action.why === "new" ? "" : `${action.why}; `;
    const size =
      own === undefined
        ? `size unknown${unreachable === undefined ? "" : `: ${unreachable}`}`
        : sizes(own, present);
    const perhaps = known ? "" : `, unless the volume ${server.volume.name} already has it`;
    const line = `Model ${name}: ${why}it will be ${how}, ${size}${perhaps}`;
    await (repair === undefined ? log.info(line) : log.warn(line));
  }
  for (const { movedTag } of inspections) if (movedTag !== undefined) await log.warn(movedTag);
  if (pulumi.runtime.isDryRun()) {
    const there = inspections.flatMap(({ planned, action }) =>
      action.kind === "there" ? [`${planned.name} (${formatBytes(action.bytes)})`] : [],
    );
    if (there.length > 0) await log.info(`Installed models: ${there.join(", ")}`);
    const unreachable = inspections
      .filter(({ action }) => action.kind === "there")
      .map((inspection) => inspection.unreachable);
    for (const line of new Set(unreachable.filter((text) => text !== undefined)))
      await log.info(`Cannot check whether tags moved: ${line}`);
  }
  if (missing.length > 0) await checkDiskSpace(missing, server, known);
}

function sizes(layers: readonly Layer[], present: ReadonlySet<string>): string {
  const there = sizeOf(layers.filter(({ digest }) => present.has(digest)));
  return `${formatBytes(sizeOf(layers))}${there === 0 ? "" : ` (${formatBytes(there)} of it already present)`}`;
}

async function checkDiskSpace(missing: readonly Layer[], server: ModelServer, known: boolean): Promise<void> {
  const needed = sizeOf(missing);
  const free = await freeBytes(server.volume);
  const need = `The models need ${formatBytes(needed)} more disk space`;
  if (free === undefined) {
    await pulumi.log.info(`${need}; how much is free on the engine's disk is unknown`);
  } else if (free > needed) {
    await pulumi.log.info(`${need}; ${formatBytes(free)} are free on the engine's disk`);
  } else {
    const line = `${need}, but only ${formatBytes(free)} are free on the engine's disk`;
    // The volume may already contain these models.
    if (!known) await pulumi.log.warn(`${line}, unless the volume ${server.volume.name} already has them`);
    else
      throw new pulumi.RunError(
        `${line}. Free some space (docker system df shows the usage), or remove models from the list.`,
      );
  }
}
