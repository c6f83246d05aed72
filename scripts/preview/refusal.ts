import { z } from "zod";

const said = z.object({
  diagnostics: z.array(z.object({ message: z.string(), severity: z.string() })).nullish(),
});

/** Why a preview was refused, from what `pulumi preview --json` printed: a line each. */
export function errorsIn(json: string): string[] {
  return (parsed(json)?.diagnostics ?? [])
    .filter(({ severity }) => severity === "error")
    .flatMap(({ message }) => message.split("\n"))
    .map((line) => line.trim().replace(/^error: /, ""))
    .filter((line) => line !== "" && line !== "preview failed");
}

/** Undefined when it is not that: the CLI was killed while it wrote, say. */
function parsed(json: string): z.output<typeof said> | undefined {
  try {
    return said.parse(JSON.parse(json.slice(json.indexOf("{"))));
  } catch {
    return undefined;
  }
}

// A rule with its resource, what it wants, what is wrong and the mend:
//   - [mandatory]  keys-required  (ollama-stack:index:Gateway: gateway)
//     The gateway requires a key.
//     It has no key, so everybody who reaches it is let in. Make one with ...
const VIOLATION = /- \[mandatory\] +(\S+) +\(\S+: (.+)\)\n.*\n +(.+)/g;

/** The rules that a stack breaks, from what `pulumi preview --policy-pack` printed: a line each. */
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
