import { formatTable } from "../../host/format-table.ts";

/** The result of a check. */
export interface Finding {
  readonly check: string;
  readonly state: "ok" | "warning" | "problem";
  readonly found: string;
  /** What to do about it. */
  readonly advice?: string;
}

export function ok(check: string, found: string): Finding {
  return { check, state: "ok", found };
}

export function warning(check: string, found: string, advice: string): Finding {
  return { check, state: "warning", found, advice };
}

export function problem(check: string, found: string, advice: string): Finding {
  return { check, state: "problem", found, advice };
}

/** Runs checks in parallel. A check that throws becomes a problem itself and does not hide the others. */
export async function runChecks(
  checks: Readonly<Record<string, () => Promise<readonly Finding[]> | readonly Finding[]>>,
): Promise<Finding[]> {
  const results = await Promise.all(
    Object.entries(checks).map(async ([check, run]) => {
      try {
        return await run();
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        return [problem(check, `cannot be checked: ${reason.split("\n")[0] ?? ""}`, "See the reason.")];
      }
    }),
  );
  return results.flat().map(withoutSecrets);
}

/** Removes credentials from URLs in results. */
function withoutSecrets(finding: Finding): Finding {
  const clean = (text: string) =>
    text
      .replaceAll(/(\w+:\/\/)[^/@\s]+@/g, "$1...@")
      .replaceAll(/\b(sk-|pul-|ghp_)[\w-]{8,}/g, "$1...")
      .replaceAll(/([?&][\w-]*(?:key|token|secret|password|sig)[\w-]*=)[^&\s]+/gi, "$1...");
  const { advice } = finding;
  return {
    ...finding,
    found: clean(finding.found),
    ...(advice === undefined ? {} : { advice: clean(advice) }),
  };
}

const signs = { ok: "ok", warning: "WARNING", problem: "PROBLEM" } as const;

/** Formats one line for each check, with the advice below it. */
export function format(findings: readonly Finding[]): string {
  const rows = findings.flatMap(({ check, state, found, advice }) => [
    [signs[state], check, found],
    ...(advice === undefined ? [] : [["", "", `-> ${advice}`]]),
  ]);
  const count = (state: Finding["state"]) => findings.filter((each) => each.state === state).length;
  return `${formatTable(rows)}\n\n${String(count("problem"))} problems, ${String(count("warning"))} warnings`;
}
