import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { shortStackName } from "../../engine/names.ts";
import { readText, settingsIn, stackFile } from "./stack-file.ts";

// Runs of CI that meet on one host need stacks of their own, with the settings of one: a stack "ci-NAME" without a file
// has a copy of the stack ci's, which git does not see.

const ci = "ci";

/** Gives a run of CI the settings of the stack ci, unless it has its own. Returns the line that says so. */
export function copyCiConfig(stack: string, folder?: string): string | undefined {
  if (!shortStackName(stack).startsWith(`${ci}-`)) return undefined;
  const [lender, file] = [stackFile(ci, folder), stackFile(stack, folder)];
  const text = readText(lender);
  const own = readText(file);
  if (text === undefined) return undefined;
  const wanted = mark(text);
  if (own !== undefined && (own.startsWith(wanted) || !isUntouched(own))) return undefined;
  writeFileSync(file, `${wanted}\n${text}`);
  return `settings: Pulumi.${shortStackName(stack)}.yaml is a copy of Pulumi.${ci}.yaml`;
}

/** Whether a file is a copy, and still says what it said. */
function isUntouched(text: string): boolean {
  return text.startsWith(mark(text));
}

/** The first line of a copy: by the digest it is known whether the original or the copy was changed since. */
function mark(text: string): string {
  const digest = createHash("sha256").update(settingsIn(text)).digest("hex").slice(0, 16);
  return `# A copy of Pulumi.${ci}.yaml (${digest}). It follows that one, until a setting is changed here.`;
}
