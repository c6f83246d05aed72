import type { InstalledModel } from "../../config/models/installed-models.ts";
import type { ModelRecord } from "../../config/models/model-record.ts";
import type { SourceState } from "./registry-client.ts";

/** What is known of a model before anything is done. */
export interface ModelFacts {
  /** What its definition says: source, changes (as a record has them), pinned digest. */
  readonly source: string;
  readonly changes: string;
  readonly pin: string | undefined;
  /** Whether what is installed under its name can be compared with the source: a registry's, unchanged. */
  readonly comparable: boolean;
  /** What the last update installed. */
  readonly record: ModelRecord | undefined;
  /** What the server has under its name; undefined when it has nothing, or does not answer. */
  readonly installed: InstalledModel | undefined;
  readonly serverAnswers: boolean;
  /** The volume that the server is to have in place of the one that it was installed in, if that is another. */
  readonly newVolume?: string | undefined;
}

export type ModelAction =
  /** It is there, and as it has to be, as far as can be known. */
  | { readonly kind: "there"; readonly bytes: number }
  /** It is to be installed. Without a reason to repair, Pulumi sees for itself that something changed. */
  | { readonly kind: "install"; readonly why: string; readonly repair: boolean };

/** What has to be done about a model. */
export function diffModel(findings: ModelFacts): ModelAction {
  const { source, changes, pin, record, installed, serverAnswers } = findings;
  if (record === undefined) {
    if (installed === undefined) return install("new");
    const fits = findings.comparable && (pin === undefined || pin === installed.digest);
    return fits ? { kind: "there", bytes: installed.size } : install("another model has its name");
  }
  if (findings.newVolume !== undefined)
    return repair(`models are now kept in the volume ${findings.newVolume}`);
  if (serverAnswers && installed === undefined) return repair("somebody removed it from the server");
  if (installed !== undefined && installed.digest !== record.digest)
    return repair(
      `somebody replaced it on the server: ${short(record.digest)} is now ${short(installed.digest)}`,
    );
  if (record.source !== source) return install("its source changed");
  if (record.changes !== changes) return install("its parameters, template or system prompt changed");
  if (pin !== undefined && pin !== record.sourceDigest) return install("another digest is wanted");
  return { kind: "there", bytes: record.size };
}

/** From which digest to which a source has moved since a model was made from it; undefined if it has not. */
export function moved(
  findings: ModelFacts,
  upstream: SourceState | undefined,
): { from: string; to: string } | undefined {
  const { pin, record, installed } = findings;
  const from = record?.sourceDigest ?? installed?.digest;
  const to = upstream !== undefined && "digest" in upstream ? upstream.digest : undefined;
  if (pin !== undefined || from === undefined || to === undefined || from === to) return undefined;
  return { from, to };
}

/** The digits of a digest that Ollama shows, too. */
export function short(digest: string): string {
  return digest.slice(0, 12);
}

function install(why: string): ModelAction {
  return { kind: "install", why, repair: false };
}

function repair(why: string): ModelAction {
  return { kind: "install", why, repair: true };
}
