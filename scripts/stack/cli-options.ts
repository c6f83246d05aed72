import { parseArgs } from "node:util";
import { project } from "../../engine/names.ts";

// Options that affect what an update deploys, and its policies; a preview needs them too.
const passed = {
  config: { type: "string", short: "c" },
  "config-file": { type: "string" },
  "config-path": { type: "boolean" },
  "policy-pack": { type: "string" },
  "policy-pack-config": { type: "string" },
} as const;

// Listed only so that their values are not parsed as options: `-mcat` does not contain `-c`.
const valued = {
  cwd: { type: "string", short: "C" },
  message: { type: "string", short: "m" },
  parallel: { type: "string", short: "p" },
  target: { type: "string", short: "t" },
  verbose: { type: "string", short: "v" },
} as const;

/** The config from the CLI's options: values by key, and the config file used instead of the stack's. */
export function configFromOptions(args: readonly string[]): {
  readonly values: ReadonlyMap<string, string>;
  readonly file: string | undefined;
} {
  const options = optionsIn(args);
  const values = options
    .filter(({ name }) => name === "config")
    .map(({ value = "" }) => /^([^=]*)=?(.*)$/s.exec(value.replace(new RegExp(`^${project}:`), "")))
    .map((match) => [match?.[1] ?? "", match?.[2] ?? ""] as const);
  return { values: new Map(values), file: options.findLast(({ name }) => name === "config-file")?.value };
}

/** The options of `pulumi up` that `pulumi preview` needs to preview the same update. */
export function previewOptions(args: readonly string[]): string[] {
  return optionsIn(args)
    .filter(({ name }) => Object.hasOwn(passed, name))
    .map(({ name, value }) => (value === undefined ? `--${name}` : `--${name}=${value}`));
}

function optionsIn(args: readonly string[]): { name: string; value: string | undefined }[] {
  const { tokens } = parseArgs({
    args,
    options: { ...passed, ...valued },
    strict: false,
    tokens: true,
  });
  return tokens.flatMap((token) => {
    if (token.kind !== "option") return [];
    const { name, rawName, value } = token;
    // The CLI parses `-c=key=value` as `-c key=value`.
    return [{ name, value: rawName.startsWith("--") ? value : value?.replace(/^=/, "") }];
  });
}
