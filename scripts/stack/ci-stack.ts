import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { shortStackName } from "../../engine/names.ts";
import { readText, settingsIn, stackFile } from "./stack-file.ts";

// Concurrent CI runs on one host need separate stacks with the same settings: a stack "ci-NAME" without a config file gets a
// copy of the ci stack's, which git ignores.

const ci = "ci";

/** Copies the settings of the stack ci for a CI run, unless it has its own. Returns a message. */
export function copyCiConfig(stack: string, folder?: string): string | undefined {
  if (!shortStackName(stack).startsWith(`${ci}-`)) return undefined;
  const [source, file] = [stackFile(ci, folder), stackFile(stack, folder)];
  const text = readText(source);
  const own = readText(file);
  if (text === undefined) return undefined;
  const firstLine = mark(text);
  if (own !== undefined && (own.startsWith(firstLine) || !isUntouched(own))) return undefined;
  writeFileSync(file, `${firstLine}\n${text}`);
  return `settings: Pulumi.${shortStackName(stack)}.yaml is a copy of Pulumi.${ci}.yaml`;
}

/** Whether a file is an unchanged copy. */
function isUntouched(text: string): boolean {
  return text.startsWith(mark(text));
}

/** The first line of a copy; its digest shows whether the original or the copy has changed. */
function mark(text: string): string {
  const digest = createHash("sha256").update(settingsIn(text)).digest("hex").slice(0, 16);
  return `# A copy of Pulumi.${ci}.yaml (${digest}). It follows that one, until a setting is changed here.`;
}
