import { type Preview, readPreview } from "./steps.ts";

/** The reasons why a preview was rejected, one line each, from the output of `pulumi preview --json`. */
export function errorsIn(json: string): string[] {
  return diagnosticsIn(json)
    .filter(({ severity }) => severity === "error")
    .flatMap(({ message }) => message.split("\n"))
    .map((line) => line.trim().replace(/^error: /, ""))
    .filter((line) => line !== "" && line !== "preview failed");
}

/** None if the output is incomplete, for example because the CLI was killed. */
function diagnosticsIn(json: string): Preview["diagnostics"] {
  try {
    return readPreview(json).diagnostics;
  } catch {
    return [];
  }
}

// A rule with its resource, description, violation and fix:
//   - [mandatory]  keys-required  (ollama-stack:index:Gateway: gateway)
//     The gateway requires a key.
//     It has no key, so anyone who can reach it has access. Create one with ...
const VIOLATION = /- \[mandatory\] +(\S+) +\(\S+: (.+)\)\n.*\n +(.+)/g;

/** The rules that a stack violates, one line each, from the output of `pulumi preview --policy-pack`. */
export function brokenRulesIn(text: string): string[] {
  return [...text.matchAll(VIOLATION)].map(
    ([, rule = "", resource = "", message = ""]) => `\`${rule}\`, ${resource}: ${message.trim()}`,
  );
}

/** As Markdown. */
export function describeRefusal(reasons: readonly string[]): string {
  return ["**Refused**: an update would change nothing.", "", ...reasons.map((each) => `- ${each}`)].join(
    "\n",
  );
}
