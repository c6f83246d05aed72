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

/** The server whose models they are. */
export interface ModelServer {
  /** Where commands reach it, if it runs. */
  readonly url: string;
  readonly volume: ModelVolume;
}

/**
 * Finds out what an update would do about the models, and says so: what is there, what will be pulled and how large it
 * is, what somebody changed by hand, which tags have moved. Refuses what cannot succeed, before anything is changed.
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
    // There is no network yet for a tunnel to end in, so no server either.
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
  // What runs until now has another volume.
  const answer = newVolume === undefined ? running : undefined;
  // A server that does not answer has what is in its volume, whatever that is.
  const installed = answer ?? ((await volumeExists(server.volume)) ? undefined : new Map());
  const upstream = new ModelRegistryClient(hosts);
  // Set by `npm run up -- --update-models`.
  const follow = process.env["OLLAMA_STACK_UPDATE_MODELS"] === "true";
  const looks = await Promise.all(
    config.models.map((model) => inspectModel(model, { installed, records, newVolume, upstream, follow })),
  );
  const problems = looks.map(({ problem }) => problem).filter((line) => line !== undefined);
  if (problems.length > 0) throw new pulumi.RunError(problems.join("\n"));
  await report(looks, server, { answers: answer !== undefined, known: installed !== undefined });
  return looks.map(({ planned }) => planned);
}

interface Knowledge {
  /** Whether the server can list layers. */
  readonly answers: boolean;
  /** Whether it is known what the volume holds. */
  readonly known: boolean;
}

/** Says what will be done, one line each, and refuses what the disk has no room for. */
async function report(
  looks: readonly ModelInspection[],
  server: ModelServer,
  { answers, known }: Knowledge,
): Promise<void> {
  const installs = looks.filter(({ verdict }) => verdict.kind === "install");
  const layers = new Map(installs.flatMap((look) => look.layers ?? []).map((layer) => [layer.digest, layer]));
  const present = answers ? await presentLayers(server.url, layers.keys()) : new Set<string>();
  const missing = [...layers.values()].filter(({ digest }) => !present.has(digest));
  const say = { info: pulumi.log.info.bind(pulumi.log), warn: pulumi.log.warn.bind(pulumi.log) };
  for (const { planned, verdict, layers: own, silent } of installs) {
    if (verdict.kind !== "install") continue;
    const { name, source, repair } = planned;
    const how = sourceKind(source) === "registry" ? "pulled" : "uploaded";
    const why = verdict.why === "new" ? "" : `${verdict.why}; `;
    const size =
      own === undefined
        ? `its size is not known${silent === undefined ? "" : `: ${silent}`}`
        : sizes(own, present);
    const perhaps = known ? "" : `, unless the volume ${server.volume.name} has it already`;
    const line = `Model ${name}: ${why}it will be ${how}, ${size}${perhaps}`;
    await (repair === undefined ? say.info(line) : say.warn(line));
  }
  for (const { moved } of looks) if (moved !== undefined) await say.warn(moved);
  if (pulumi.runtime.isDryRun()) {
    const there = looks.flatMap(({ planned, verdict }) =>
      verdict.kind === "there" ? [`${planned.name} (${formatBytes(verdict.bytes)})`] : [],
    );
    if (there.length > 0) await say.info(`Models that are there: ${there.join(", ")}`);
    const silent = looks.filter(({ verdict }) => verdict.kind === "there").map((look) => look.silent);
    for (const line of new Set(silent.filter((text) => text !== undefined)))
      await say.info(`Whether tags have moved is not known: ${line}`);
  }
  if (missing.length > 0) await checkRoom(missing, server, known);
}

function sizes(layers: readonly Layer[], present: ReadonlySet<string>): string {
  const there = sizeOf(layers.filter(({ digest }) => present.has(digest)));
  return `${formatBytes(sizeOf(layers))}${there === 0 ? "" : ` (${formatBytes(there)} of it are there)`}`;
}

async function checkRoom(missing: readonly Layer[], server: ModelServer, known: boolean): Promise<void> {
  const needed = sizeOf(missing);
  const free = await freeBytes(server.volume);
  const need = `The models take ${formatBytes(needed)} more`;
  if (free === undefined) {
    await pulumi.log.info(`${need}; how much is free where the engine keeps them is not known`);
  } else if (free > needed) {
    await pulumi.log.info(`${need}; ${formatBytes(free)} are free where the engine keeps them`);
  } else {
    const line = `${need}, but only ${formatBytes(free)} are free where the engine keeps them`;
    // What is in a volume that no server shows may be just these models.
    if (!known) await pulumi.log.warn(`${line}, unless they are in the volume ${server.volume.name} already`);
    else
      throw new pulumi.RunError(
        `${line}. Free some space (docker system df shows what is used), or take models from the list.`,
      );
  }
}
