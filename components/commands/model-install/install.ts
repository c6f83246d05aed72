import { changesText, type ModelRecord } from "../../config/models/model-record.ts";
import { sourceKind } from "../../config/models/model-source.ts";
import { formatBytes } from "../../../engine/format-bytes.ts";
import { createFrom, uploadGguf } from "./create.ts";
import type { InstalledModel } from "../../config/models/installed-models.ts";
import type { OllamaApi } from "./ollama-api.ts";
import { InstallError, retryWhileProgressing } from "./retry.ts";
import { Progress } from "./progress.ts";
import { pullOnce } from "./pull.ts";
import type { InstallOptions, DesiredModel } from "./desired-model.ts";

/**
 * Makes sure that a model is installed as configured, and returns it as Ollama lists it. The old version of a replaced model
 * serves requests until the new one is complete.
 *
 * @param before record of the last installation, if known
 */
export async function installModel(
  api: OllamaApi,
  desired: DesiredModel,
  before: ModelRecord | undefined,
  options: InstallOptions,
): Promise<ModelRecord> {
  const { name, source } = desired;
  const { log } = options;
  await deleteSuperseded(api);
  const present = await api.installed(name);
  if (present !== undefined && isUpToDate(present, desired, before)) {
    log(`${name} is already installed (${formatBytes(present.size)})`);
    return record(desired, present, before?.sourceDigest ?? present.digest);
  }
  const progress = new Progress(log);
  const fromFile = sourceKind(source) !== "registry";
  const retryOptions = {
    what: fromFile ? `uploading ${source}` : `pulling ${source}`,
    bytes: () => progress.bytes,
    advice: "Downloaded data is kept; run the update again when the registry is reachable.",
    log,
  };
  return await retryWhileProgressing(retryOptions, async () => {
    const sourceDigest = fromFile
      ? await installFile(api, desired, progress, options)
      : await installPulled(api, desired, progress, options);
    const installed = await api.installed(name);
    if (installed === undefined)
      throw new InstallError(`Ollama accepted ${source}, but does not list ${name}`);
    // Another server on the same volume may have deleted a layer as unused.
    await api.verify(name);
    log(`${name} is installed: ${formatBytes(installed.size)}, digest ${installed.digest.slice(0, 12)}`);
    return record(desired, installed, sourceDigest);
  });
}

function isUpToDate(
  present: InstalledModel,
  desired: DesiredModel,
  before: ModelRecord | undefined,
): boolean {
  if (desired.request !== before?.request && desired.request !== undefined) return false;
  if (before === undefined) {
    // Without a record, the digest is comparable only for an unchanged model from a registry.
    const plain = sourceKind(desired.source) === "registry" && changesText(desired.changes) === "";
    return plain && (desired.digest === undefined || desired.digest === present.digest);
  }
  return (
    present.digest === before.digest &&
    desired.source === before.source &&
    changesText(desired.changes) === before.changes &&
    (desired.digest === undefined || desired.digest === before.sourceDigest)
  );
}

function record(desired: DesiredModel, { digest, size }: InstalledModel, sourceDigest: string): ModelRecord {
  const { name, source, request } = desired;
  const changes = changesText(desired.changes);
  return { name, digest, size, source, sourceDigest, changes, ...(request === undefined ? {} : { request }) };
}

/** Uploads a file and creates the model from it; returns the file's digest. */
async function installFile(
  api: OllamaApi,
  { name, source, digest, changes }: DesiredModel,
  progress: Progress,
  options: InstallOptions,
): Promise<string> {
  if (digest === undefined) throw new InstallError(`the SHA-256 of ${source} is unknown`);
  await uploadGguf(api, { source, digest }, progress, options);
  await createFrom(
    api,
    { model: name, files: { "model.gguf": `sha256:${digest}` }, ...changes },
    progress,
    options,
  );
  return digest;
}

/** Pulls the source and names the model; returns the digest of the source's manifest. */
async function installPulled(
  api: OllamaApi,
  desired: DesiredModel,
  progress: Progress,
  options: InstallOptions,
): Promise<string> {
  const { name, source } = desired;
  await pullOnce(api, desired, progress, options);
  const pulled = await api.installed(source);
  if (pulled === undefined) throw new Error(`Ollama reported that it pulled ${source}, but does not list it`);
  if (desired.digest !== undefined && desired.digest !== pulled.digest) {
    // A model with another digest must not serve requests.
    if (!desired.keepSource) await api.delete(source);
    throw new InstallError(
      `the registry's ${source} has the digest ${pulled.digest}, but ${desired.digest} is pinned: it was deleted again. ` +
        `Find out what changed; to accept it, pin the new digest.`,
    );
  }
  if (changesText(desired.changes) !== "") {
    await createFrom(api, { model: name, from: source, ...desired.changes }, progress, options);
  } else if (source !== name) {
    await moveToName(api, name, pulled);
  }
  if (source !== name && !desired.keepSource) await api.delete(source);
  return pulled.digest;
}

/** Renames an installed model, replacing any model with the new name. */
async function moveToName(api: OllamaApi, name: string, model: InstalledModel): Promise<void> {
  const old = await api.installed(name);
  if (old?.digest === model.digest) return;
  if (old === undefined) {
    await api.copy(model.name, name);
    return;
  }
  await api.unload(name);
  // Ollama deletes layers when a name is deleted, so the old model keeps a temporary name until the new one is in place.
  const superseded = supersededName(old);
  await api.copy(name, superseded);
  await api.copy(model.name, name);
  await api.delete(superseded);
}

function supersededName({ digest }: InstalledModel): string {
  return `superseded:${digest.slice(0, 12)}`;
}

/**
 * Deletes temporary names that killed updates left. While another name has the same model, a concurrent update may still need
 * the temporary one.
 */
async function deleteSuperseded(api: OllamaApi): Promise<void> {
  const models = await api.list();
  for (const { name, digest } of models.filter((model) => model.name === supersededName(model)))
    if (models.every((other) => other.name === name || other.digest !== digest)) await api.delete(name);
}
