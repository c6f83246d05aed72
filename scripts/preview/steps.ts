import { z } from "zod";

const state = z.object({ inputs: z.record(z.string(), z.unknown()).nullish() }).nullish();
const step = z.object({
  op: z.string(),
  urn: z.string(),
  replaceReasons: z.array(z.string()).nullish(),
  diffReasons: z.array(z.string()).nullish(),
  /** Differences by path. */
  detailedDiff: z.record(z.string(), z.unknown()).nullish(),
  newState: state,
  oldState: state,
});
const preview = z.object({
  steps: z.array(step).nullish(),
  diagnostics: z.array(z.object({ message: z.string(), severity: z.string() })).nullish(),
});

/** The planned operation on a resource. */
export type Step = z.output<typeof step>;

/** A parsed preview. */
export interface Preview {
  readonly steps: readonly Step[];
  /** Messages of the program and the plugins. */
  readonly diagnostics: readonly { readonly message: string; readonly severity: string }[];
}

export const imageType = "docker:index/remoteImage:RemoteImage";

/** Parses the output of `pulumi preview --json`, ignoring text before the JSON. */
export function readPreview(json: string): Preview {
  const { steps, diagnostics } = preview.parse(JSON.parse(json.slice(json.indexOf("{"))));
  return { steps: steps ?? [], diagnostics: diagnostics ?? [] };
}

/** Type and name of a step's resource. */
export function resourceOf({ urn }: Step): { readonly type: string; readonly name: string } {
  const [, path = "", name = ""] = /^urn:pulumi:[^:]*::[^:]*::(.*)::(.*)$/.exec(urn) ?? [];
  return { type: path.split("$").at(-1) ?? "", name };
}
