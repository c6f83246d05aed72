import { parseDocument } from "yaml";
import { modelsKey, resolveModels } from "./models.ts";
import { imageKeys } from "../stack/settings.ts";
import { allOrErrors, type Pin, resolveImages } from "./pins.ts";

interface Pinned {
  /** The stack's config file with the digests, otherwise unchanged. */
  readonly text: string;
  readonly pins: readonly Pin[];
}

/**
 * Looks up the current digests of a stack's images and models. `defaults` are the project's, for keys that the file omits.
 * Throws if one of them cannot be resolved, so that nothing is written.
 */
export async function pinStackConfig(
  file: string,
  defaults: Readonly<Record<string, unknown>>,
): Promise<Pinned> {
  const document = parseDocument(file);
  const content = document.toJS() as { readonly config?: Readonly<Record<string, unknown>> } | null;
  const key = (name: string): unknown => content?.config?.[`ollama-stack:${name}`];
  const setting = (name: string) => key(name) ?? defaults[name];
  const images = imageKeys(setting)
    .map((name) => [name, String(setting(name))] as const)
    // An image that a stack builds, or derives from imageRegistry, has no name in the config.
    .filter(([, name]) => name !== "");
  const listed = (value: unknown): unknown[] =>
    Array.isArray(value) ? value : typeof value === "string" ? (JSON.parse(value) as unknown[]) : [];
  const models = listed(key("models") ?? defaults["models"]);
  // Values from the project's file, or JSON strings written by `pulumi config set`, get an entry of their own.
  if (!Array.isArray(key("models"))) document.setIn(["config", modelsKey], models);
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  const engine = { dockerHost: text(key("dockerHost")), dockerCertPath: text(key("dockerCertPath")) };
  const pins = await allOrErrors([
    resolveImages(Object.fromEntries(images) as Record<string, string>),
    resolveModels(models, listed(key("ollamaHosts")).map(String), engine),
  ]).then((lists) => lists.flat());
  for (const { path, value } of pins) document.setIn(["config", ...path], value);
  return { text: document.toString({ lineWidth: 0 }), pins };
}

/** Formats a pin as a line: description, digest, change. */
export function formatPin({ what, digest, before }: Pin): string {
  const change = before === undefined ? "pinned" : before === digest ? "unchanged" : `was ${before}`;
  return `${what}  ${digest}  ${change}`;
}
