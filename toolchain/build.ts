import { existsSync } from "node:fs";
import type { DockerApi } from "../scripts/docker-api.ts";
import { type Report, say, step } from "../scripts/progress.ts";
import { sweepPartials } from "./cache.ts";
import { installPackages } from "./debian.ts";
import { findGo, type Go } from "./go.ts";
import {
  buildImage,
  isImageCurrent,
  type LocalImage,
  nodeImage,
  ollamaImage,
  registryImage,
} from "./images.ts";
import { install, installed, places } from "./install.ts";
import { makeModel, modelFolder, modelName } from "./model.ts";
import { buildPart, hostCFlags, ollamaPackages, type Part, partBinary, parts } from "./parts.ts";
import { isRegistryRunning, startRegistry } from "./registry.ts";

/** Whether all of it is in place. Only looks: no process is started. */
export async function isBuilt(api: DockerApi): Promise<boolean> {
  const inPlace = places().every(({ part, folder }) =>
    ["current", "released"].includes(installed(part, folder)),
  );
  if (!inPlace) return false;
  const current = [ollamaImage(), nodeImage(), registryImage()].map((image) => isImageCurrent(api, image));
  return (await Promise.all([...current, isRegistryRunning(api)])).every(Boolean);
}

/**
 * Builds what is missing, in two lanes that keep two cores busy: the long one is Pulumi, the other Ollama and all
 * that needs it. Only for the holder of the set-up lock.
 */
export async function build(api: DockerApi): Promise<void> {
  sweepPartials();
  const go = await findGo();
  const lanes = await Promise.allSettled([pulumiLane(go), ollamaLane(go, api)]);
  const failed = lanes.find((lane) => lane.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}

async function pulumiLane(go: Go): Promise<void> {
  for (const { part, folder } of places()) {
    const state = installed(part, folder);
    if (state === "current" || state === "released") continue;
    await ensurePart(part, go);
    install(part, folder);
  }
}

async function ollamaLane(go: Go, api: DockerApi): Promise<void> {
  if (!existsSync(partBinary(parts.ollama))) {
    await installPackages(ollamaPackages);
    if (hostCFlags() === "-O3")
      say("Ollama: this CPU lacks AVX2, FMA, F16C or BMI2: building without, models will be slow");
    await ensurePart(parts.ollama, go);
  }
  await ensureImage(api, nodeImage(), 10);
  await ensureImage(api, ollamaImage(), 5);
  await ensurePart(parts.registry, go);
  if (!existsSync(modelFolder())) await step(`Model ${modelName}`, 20, makeModel);
  await ensureImage(api, registryImage(), 5);
  if (!(await isRegistryRunning(api)))
    await step("Model registry", 2, (report) => startRegistry(api, report));
}

async function ensurePart(part: Part, go: Go): Promise<void> {
  if (existsSync(partBinary(part))) return;
  await step(`Building ${part.name}`, part.seconds, (report: Report) => buildPart(part, go, report));
}

async function ensureImage(api: DockerApi, image: LocalImage, seconds: number): Promise<void> {
  if (await isImageCurrent(api, image)) return;
  await step(`Image ${image.tag}`, seconds, (report) => buildImage(api, image, report));
}
