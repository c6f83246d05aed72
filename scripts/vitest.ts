import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";

const report = z.object({
  success: z.boolean(),
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  numFailedTestSuites: z.number(),
});

/**
 * Runs vitest and prints "N passed, N failed" from its JSON report. A test that did not run is a failure here, and so
 * is a file that could not be loaded or a run that found no test.
 */
export async function runTests(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-tests-"));
  const file = join(folder, "report.json");
  try {
    const child = spawn(
      process.execPath,
      [
        "node_modules/vitest/vitest.mjs",
        "run",
        "--reporter=default",
        "--reporter=json",
        `--outputFile.json=${file}`,
        ...args,
      ],
      { env, stdio: "inherit" },
    );
    const code = await new Promise<number>((resolve) =>
      child.once("close", (status) => {
        resolve(status ?? 1);
      }),
    );
    if (!existsSync(file)) {
      console.log("\nvitest ended without a report\n\n0 passed, 1 failed");
      return code === 0 ? 1 : code;
    }
    const result = report.parse(JSON.parse(readFileSync(file, "utf8")));
    const notRun = result.numPendingTests + result.numTodoTests;
    // A file that fails to load has no tests in it to count.
    const lost = result.success || result.numFailedTests > 0 ? 0 : Math.max(1, result.numFailedTestSuites);
    const failed = result.numFailedTests + notRun + lost;
    console.log(`\n${String(result.numPassedTests)} passed, ${String(failed)} failed`);
    return failed > 0 || result.numPassedTests === 0 ? 1 : code;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
