import { existsSync } from "node:fs";
import type { DockerApi } from "../engine/docker-api.ts";
import { type Report, printLine, step } from "../host/progress.ts";
import { sweepPartials } from "./cache.ts";
import { installPackages } from "./apt.ts";
import { findGo, type Go } from "./go.ts";
import {
  allImages,
  buildImage,
  caddyImage,
  isImageCurrent,
  type LocalImage,
  nodeImage,
  ollamaImage,
  prometheusImage,
  registryImage,
} from "./images.ts";
import { install, isUsable, places } from "./install.ts";
import { runParallel } from "./parallel.ts";
import { makeModel, modelFolder, modelName } from "./model.ts";
import {
  buildPart,
  hostCFlags,
  ollamaPackages,
  type Binary,
  partBinary,
  parts,
  runcPackages,
} from "./binaries.ts";
import { isRegistryRunning, startRegistry } from "./registry.ts";

/** Docker 29 and the programs that it starts. */
const engineParts = [parts.dockerd, parts.dockerProxy, parts.runc];

/** Whether everything is installed. Starts no process. */
export async function isBuilt(api: DockerApi, extras: Extras): Promise<boolean> {
  if (extras.currentEngine && !engineParts.every((part) => existsSync(partBinary(part)))) return false;
  if (!places().every(({ part, folder }) => isUsable(part, folder))) return false;
  const current = allImages().map((image) => isImageCurrent(api, image));
  return (await Promise.all([...current, isRegistryRunning(api)])).every(Boolean);
}

/** Optional builds, which stacks do not need. */
interface Extras {
  /** Docker 29 in addition to the machine's engine, for the tests. */
  readonly currentEngine: boolean;
}

/** The context of a lane's steps. */
interface Lane {
  readonly go: Go;
  /** Aborted if another lane fails. */
  readonly signal: AbortSignal;
}

/**
 * Builds everything that is missing, in two lanes for two cores: Pulumi in one, and in the other Ollama, everything that
 * depends on it, and the programs for the tests. The caller must hold the set-up lock.
 */
export async function build(api: DockerApi, extras: Extras): Promise<void> {
  sweepPartials();
  const go = await findGo();
  await runParallel([
    (signal) => pulumiLane({ go, signal }),
    async (signal) => {
      await ollamaLane({ go, signal }, api);
      if (extras.currentEngine) await engineLane({ go, signal });
    },
  ]);
}

async function pulumiLane(lane: Lane): Promise<void> {
  for (const { part, folder } of places()) {
    if (isUsable(part, folder)) continue;
    await ensurePart(part, lane);
    install(part, folder);
  }
}

async function ollamaLane(lane: Lane, api: DockerApi): Promise<void> {
  if (!existsSync(partBinary(parts.ollama))) {
    await installPackages(ollamaPackages);
    if (hostCFlags() === "-O3")
      printLine("Ollama: this CPU lacks AVX2, FMA, F16C or BMI2: building without, models will be slow");
    await ensurePart(parts.ollama, lane);
  }
  await ensureImage(api, nodeImage(), 10);
  await ensureImage(api, ollamaImage(), 5);
  await ensurePart(parts.registry, lane);
  if (!existsSync(modelFolder())) await step(`Model ${modelName}`, 20, makeModel);
  await ensureImage(api, registryImage(), 5);
  if (!(await isRegistryRunning(api)))
    await step("Model registry", 2, (report) => startRegistry(api, report));
  await ensurePart(parts.caddy, lane);
  await ensureImage(api, caddyImage(), 5);
  for (const part of [parts.prometheus, parts.promtool]) await ensurePart(part, lane);
  await ensureImage(api, prometheusImage(), 5);
}

async function engineLane(lane: Lane): Promise<void> {
  if (!existsSync(partBinary(parts.runc))) await installPackages(runcPackages);
  for (const part of engineParts) await ensurePart(part, lane);
}

async function ensurePart(part: Binary, { go, signal }: Lane): Promise<void> {
  signal.throwIfAborted();
  if (existsSync(partBinary(part))) return;
  await step(`Building ${part.name}`, part.seconds, (report: Report) =>
    buildPart(part, go, { report, signal }),
  );
}

async function ensureImage(api: DockerApi, image: LocalImage, seconds: number): Promise<void> {
  if (await isImageCurrent(api, image)) return;
  await step(`Image ${image.tag}`, seconds, (report) => buildImage(api, image, report));
}
