import { spawnSync } from "node:child_process";

/** Test files that cannot run on this machine, and why. */
export interface NotApplicable {
  readonly files: readonly string[];
  readonly why: string;
}

/** Tests that start their own engines, with namespaces and networks: see engine/private-engine.ts. */
const withOwnEngine = ["engine-restart", "neighbours", "remote-engine"].map(
  (name) => `tests/e2e/${name}.test.ts`,
);

const programs = ["dockerd", "unshare", "nsenter", "setpriv"];

/** The test files that npm test skips on this machine. They count neither as passed nor as failed. */
export function notApplicable(): readonly NotApplicable[] {
  const why = whyNoPrivateEngine();
  return why === undefined ? [] : [{ files: withOwnEngine, why }];
}

function whyNoPrivateEngine(): string | undefined {
  if (process.platform !== "linux") return "an engine of a test's own needs Linux";
  if (process.getuid?.() !== 0) return "an engine of a test's own needs root";
  const missing = programs.filter((name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0);
  return missing.length === 0
    ? undefined
    : `an engine of a test's own needs programs that are missing: ${missing.join(", ")}`;
}
