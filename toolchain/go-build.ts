import { runTool } from "../host/exec.ts";
import type { Report } from "../host/progress.ts";
import type { Go } from "./go.ts";

interface GoBuild {
  /** What is built, for messages. */
  readonly what: string;
  /** The module's folder. */
  readonly folder: string;
  /** The package to build; "." is the module itself. */
  readonly package: string;
  /** The path of the program. */
  readonly output: string;
  /** Further arguments of `go build`. */
  readonly args?: readonly string[];
  /** Variables besides those for a static program; they override them. */
  readonly env?: Readonly<Record<string, string>>;
  readonly report: Report;
  readonly signal?: AbortSignal;
}

/** Builds a program, by default a static one, without paths of this machine and without the state of the repository. */
export async function goBuild(go: Go, build: GoBuild): Promise<void> {
  const { what, folder, output, args = [], env = {}, report, signal } = build;
  await runTool(go.command, ["build", "-trimpath", ...args, "-o", output, build.package], {
    what: `build ${what}`,
    cwd: folder,
    env: { ...go.env, GOFLAGS: "-buildvcs=false", GOWORK: "off", CGO_ENABLED: "0", ...env },
    report,
    signal,
  });
}
