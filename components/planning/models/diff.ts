import type { InstalledModel } from "../../config/models/installed-models.ts";
import type { ModelRecord } from "../../config/models/model-record.ts";
import type { SourceState } from "./registry-client.ts";

/** Everything known about a model before an update. */
export interface ModelFacts {
  /** The configured source, changes (in a record's format) and pinned digest. */
  readonly source: string;
  readonly changes: string;
  readonly pin: string | undefined;
  /** Whether the installed digest is comparable with the source's: only for an unchanged model from a registry. */
  readonly comparable: boolean;
  /** The last update's record. */
  readonly record: ModelRecord | undefined;
  /** The server's model of this name; undefined if it has none, or does not respond. */
  readonly installed: InstalledModel | undefined;
  readonly serverResponds: boolean;
  /** The server's new volume, if it differs from the one with the installed models. */
  readonly newVolume?: string | undefined;
}

export type ModelAction =
  /** It is installed and up to date, as far as is known. */
  | { readonly kind: "there"; readonly bytes: number }
  /** It must be installed. `repair` is false if Pulumi detects the change itself. */
  | { readonly kind: "install"; readonly why: string; readonly repair: boolean };

/** Decides what to do about a model. */
export function diffModel(facts: ModelFacts): ModelAction {
  const { source, changes, pin, record, installed, serverResponds } = facts;
  if (record === undefined) {
    if (installed === undefined) return install("new");
    const fits = facts.comparable && (pin === undefined || pin === installed.digest);
    return fits ? { kind: "there", bytes: installed.size } : install("another model has its name");
  }
  if (facts.newVolume !== undefined) return repair(`models are now kept in the volume ${facts.newVolume}`);
  if (serverResponds && installed === undefined) return repair("somebody removed it from the server");
  if (installed !== undefined && installed.digest !== record.digest)
    return repair(
      `somebody replaced it on the server: ${short(record.digest)} is now ${short(installed.digest)}`,
    );
  if (record.source !== source) return install("its source changed");
  if (record.changes !== changes) return install("its parameters, template or system prompt changed");
  if (pin !== undefined && pin !== record.sourceDigest) return install("another digest is pinned");
  return { kind: "there", bytes: record.size };
}

/** The old and the new digest of a source whose tag moved since the model was installed; undefined if it did not. */
export function tagMove(
  facts: ModelFacts,
  upstream: SourceState | undefined,
): { from: string; to: string } | undefined {
  const { pin, record, installed } = facts;
  const from = record?.sourceDigest ?? installed?.digest;
  const to = upstream !== undefined && "digest" in upstream ? upstream.digest : undefined;
  if (pin !== undefined || from === undefined || to === undefined || from === to) return undefined;
  return { from, to };
}

/** Shortens a digest as Ollama does. */
export function short(digest: string): string {
  return digest.slice(0, 12);
}

function install(why: string): ModelAction {
  return { kind: "install", why, repair: false };
}

function repair(why: string): ModelAction {
  return { kind: "install", why, repair: true };
}
