import { parseArgs } from "node:util";
import { project } from "../../engine/names.ts";

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

/** What the options given to the CLI say of the config: values by key, and the file that is read for the stack's. */
export function givenConfig(given: readonly string[]): {
  readonly values: ReadonlyMap<string, string>;
  readonly file: string | undefined;
} {
  const options = optionsIn(given);
  const values = options
    .filter(({ name }) => name === "config")
    .map(({ value = "" }) => /^([^=]*)=?(.*)$/s.exec(value.replace(new RegExp(`^${project}:`), "")))
    .map((match) => [match?.[1] ?? "", match?.[2] ?? ""] as const);
  return { values: new Map(values), file: options.findLast(({ name }) => name === "config-file")?.value };
}

/** Of the options given for `pulumi up`, those that `pulumi preview` needs to judge the same update. */
export function previewOptions(given: readonly string[]): string[] {
  return optionsIn(given)
    .filter(({ name }) => Object.hasOwn(passed, name))
    .map(({ name, value }) => (value === undefined ? `--${name}` : `--${name}=${value}`));
}

function optionsIn(given: readonly string[]): { name: string; value: string | undefined }[] {
  const { tokens } = parseArgs({
    args: given,
    options: { ...passed, ...valued },
    strict: false,
    tokens: true,
  });
  return tokens.flatMap((token) => {
    if (token.kind !== "option") return [];
    const { name, rawName, value } = token;
    // The CLI reads `-c=key=value` as `-c key=value`.
    return [{ name, value: rawName.startsWith("--") ? value : value?.replace(/^=/, "") }];
  });
}
