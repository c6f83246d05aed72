import { z } from "zod";

const state = z.object({ inputs: z.record(z.string(), z.unknown()).nullish() }).nullish();
const step = z.object({
  op: z.string(),
  urn: z.string(),
  replaceReasons: z.array(z.string()).nullish(),
  diffReasons: z.array(z.string()).nullish(),
  /** By the path of what differs. */
  detailedDiff: z.record(z.string(), z.unknown()).nullish(),
  newState: state,
  oldState: state,
});
const preview = z.object({
  steps: z.array(step).nullish(),
  diagnostics: z.array(z.object({ message: z.string(), severity: z.string() })).nullish(),
});

/** What is to become of one resource. */
export type Step = z.output<typeof step>;

/** What a preview found. */
export interface Found {
  readonly steps: readonly Step[];
  /** What the program and the plugins said. */
  readonly diagnostics: readonly { readonly message: string; readonly severity: string }[];
}

export const imageType = "docker:index/remoteImage:RemoteImage";

/** Reads what `pulumi preview --json` printed, whatever stands before it. */
export function readPreview(json: string): Found {
  const { steps, diagnostics } = preview.parse(JSON.parse(json.slice(json.indexOf("{"))));
  return { steps: steps ?? [], diagnostics: diagnostics ?? [] };
}

/** Type and name of a step's resource. */
export function resourceOf({ urn }: Step): { readonly type: string; readonly name: string } {
  const [, path = "", name = ""] = /^urn:pulumi:[^:]*::[^:]*::(.*)::(.*)$/.exec(urn) ?? [];
  return { type: path.split("$").at(-1) ?? "", name };
}
