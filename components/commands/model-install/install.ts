import { changesText, type ModelRecord } from "../../config/models/model-record.ts";
import { sourceKind } from "../../config/models/model-source.ts";
import { formatBytes } from "../../../engine/format-bytes.ts";
import { createFrom, uploadGguf } from "./create.ts";
import type { InstalledModel } from "../../config/models/installed-models.ts";
import type { OllamaApi } from "./ollama-api.ts";
import { InstallError, retryWhileProgressing } from "./retry.ts";
import { Progress } from "./progress.ts";
import { pullOnce } from "./pull.ts";
import type { InstallOptions, WantedModel } from "./desired-model.ts";

/**
 * Makes sure that a model is installed as it is wanted, and returns it as Ollama lists it. A model that is replaced
 * answers until the new one is there.
 *
 * @param before what was installed the last time, as far as it is known
 */
export async function installModel(
  api: OllamaApi,
  wanted: WantedModel,
  before: ModelRecord | undefined,
  options: InstallOptions,
): Promise<ModelRecord> {
  const { name, source } = wanted;
  const { say } = options;
  const present = await api.installed(name);
  if (present !== undefined && isAsWanted(present, wanted, before)) {
    say(`${name} is there already (${formatBytes(present.size)})`);
    return record(wanted, present, before?.sourceDigest ?? present.digest);
  }
  const progress = new Progress(say);
  const fromFile = sourceKind(source) !== "registry";
  const how = {
    what: fromFile ? `uploading ${source}` : `pulling ${source}`,
    bytes: () => progress.bytes,
    advice: "What was loaded is kept; run the update again when the registry can be reached.",
    say,
  };
  return await retryWhileProgressing(how, async () => {
    const sourceDigest = fromFile
      ? await installFile(api, wanted, progress, options)
      : await installPulled(api, wanted, progress, options);
    const installed = await api.installed(name);
    if (installed === undefined) throw new InstallError(`Ollama took ${source}, but does not list ${name}`);
    // Another server on the same volume may have taken a layer for one that nobody needs.
    await api.verify(name);
    say(`${name} is installed: ${formatBytes(installed.size)}, digest ${installed.digest.slice(0, 12)}`);
    return record(wanted, installed, sourceDigest);
  });
}

function isAsWanted(present: InstalledModel, wanted: WantedModel, before: ModelRecord | undefined): boolean {
  if (wanted.request !== before?.request && wanted.request !== undefined) return false;
  if (before === undefined) {
    // Found under its name at the first time: what it was made of is known only if nothing was changed.
    const plain = sourceKind(wanted.source) === "registry" && changesText(wanted.changes) === "";
    return plain && (wanted.digest === undefined || wanted.digest === present.digest);
  }
  return (
    present.digest === before.digest &&
    wanted.source === before.source &&
    changesText(wanted.changes) === before.changes &&
    (wanted.digest === undefined || wanted.digest === before.sourceDigest)
  );
}

function record(wanted: WantedModel, { digest, size }: InstalledModel, sourceDigest: string): ModelRecord {
  const { name, source, request } = wanted;
  const changes = changesText(wanted.changes);
  return { name, digest, size, source, sourceDigest, changes, ...(request === undefined ? {} : { request }) };
}

/** Uploads the file and makes the model of it; returns the file's digest. */
async function installFile(
  api: OllamaApi,
  { name, source, digest, changes }: WantedModel,
  progress: Progress,
  options: InstallOptions,
): Promise<string> {
  if (digest === undefined) throw new InstallError(`the SHA-256 of ${source} is not known`);
  await uploadGguf(api, { source, digest }, progress, options);
  await createFrom(
    api,
    { model: name, files: { "model.gguf": `sha256:${digest}` }, ...changes },
    progress,
    options,
  );
  return digest;
}

/** Pulls the source and gives it its name; returns the digest of the source's manifest. */
async function installPulled(
  api: OllamaApi,
  wanted: WantedModel,
  progress: Progress,
  options: InstallOptions,
): Promise<string> {
  const { name, source } = wanted;
  await pullOnce(api, wanted, progress, options);
  const pulled = await api.installed(source);
  if (pulled === undefined) throw new Error(`Ollama says that it pulled ${source}, but does not list it`);
  if (wanted.digest !== undefined && wanted.digest !== pulled.digest) {
    // Whoever pins a model does not want another one to answer in its place.
    if (!wanted.keepSource) await api.delete(source);
    throw new InstallError(
      `the registry's ${source} has the digest ${pulled.digest}, but ${wanted.digest} is pinned: it was deleted again. ` +
        `Find out what changed; to take it, pin its digest.`,
    );
  }
  if (changesText(wanted.changes) !== "") {
    await createFrom(api, { model: name, from: source, ...wanted.changes }, progress, options);
  } else if (source !== name) {
    await takeName(api, name, pulled);
  }
  if (source !== name && !wanted.keepSource) await api.delete(source);
  return pulled.digest;
}

/** Gives an installed model another name, in place of what may have it. */
async function takeName(api: OllamaApi, name: string, model: InstalledModel): Promise<void> {
  const old = await api.installed(name);
  if (old?.digest === model.digest) return;
  if (old === undefined) {
    await api.copy(model.name, name);
    return;
  }
  await api.unload(name);
  // Deleting a name is what makes Ollama delete layers: the old model gets another one until then.
  const superseded = `superseded:${old.digest.slice(0, 12)}`;
  await api.copy(name, superseded);
  await api.copy(model.name, name);
  await api.delete(superseded);
}
