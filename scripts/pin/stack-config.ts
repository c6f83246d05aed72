import { parseDocument } from "yaml";
import { type Pin, imageKeys, resolveImages } from "./pins.ts";

export interface Pinned {
  /** The stack's file, with the digests in it and everything else as it was. */
  readonly text: string;
  readonly pins: readonly Pin[];
}

/**
 * Asks the registries what a stack's images are now. `defaults` are those of the project, for what the file leaves out.
 * Throws when one of them could not be resolved: then nothing is to be written.
 */
export async function pinStackConfig(
  text: string,
  defaults: Readonly<Record<string, unknown>>,
): Promise<Pinned> {
  const document = parseDocument(text);
  const images = imageKeys.map((key) => {
    const own: unknown = document.getIn(["config", `ollama-stack:${key}`]);
    return [key, String(own ?? defaults[key])];
  });
  const pins = await resolveImages(Object.fromEntries(images) as Record<string, string>);
  for (const { path, value } of pins) document.setIn(["config", ...path], value);
  return { text: document.toString({ lineWidth: 0 }), pins };
}

/** A line for each: what it is, its digest, what has changed. */
export function tell({ what, digest, before }: Pin): string {
  const change = before === undefined ? "pinned" : before === digest ? "unchanged" : `was ${before}`;
  return `${what}  ${digest}  ${change}`;
}
