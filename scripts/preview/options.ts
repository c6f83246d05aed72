import { parseArgs } from "node:util";

// What an update brings up, and by which rules: a preview without them would judge another one.
const passed = {
  config: { type: "string", short: "c" },
  "config-file": { type: "string" },
  "config-path": { type: "boolean" },
  "policy-pack": { type: "string" },
  "policy-pack-config": { type: "string" },
} as const;

// Named only so that their values are not read as options: `-mcat` has no `-c` in it.
const valued = {
  cwd: { type: "string", short: "C" },
  message: { type: "string", short: "m" },
  parallel: { type: "string", short: "p" },
  target: { type: "string", short: "t" },
  verbose: { type: "string", short: "v" },
} as const;

/** Of the options given for `pulumi up`, those that `pulumi preview` needs to judge the same update. */
export function previewOptions(given: readonly string[]): string[] {
  const { tokens } = parseArgs({
    args: given,
    options: { ...passed, ...valued },
    strict: false,
    tokens: true,
  });
  return tokens.flatMap((token) => {
    if (token.kind !== "option" || !Object.hasOwn(passed, token.name)) return [];
    // The CLI reads `-c=key=value` as `-c key=value`.
    const value = token.rawName.startsWith("--") ? token.value : token.value?.replace(/^=/, "");
    return [value === undefined ? `--${token.name}` : `--${token.name}=${value}`];
  });
}
