import { execFile, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { promisify, stripVTControlCharacters } from "node:util";
import { z } from "zod";

const report = z.object({
  success: z.boolean(),
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  numFailedTestSuites: z.number(),
  testResults: z.array(
    z.object({
      name: z.string(),
      startTime: z.number(),
      endTime: z.number(),
      /** Why the file could not be loaded, or one of its hooks failed. */
      message: z.string().default(""),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
});

const vitest = "node_modules/vitest/vitest.mjs";

const SLOWEST_FILES = 10;
const FAILURE_LINES = 12;

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  /** Where the time went. */
  readonly files?: readonly TimedFile[];
  /** Failed tests, with the first line of their errors. */
  readonly failures?: readonly string[];
}

interface TimedFile {
  readonly name: string;
  readonly seconds: number;
}

export interface Place {
  /** Wraps a command so that it runs elsewhere, such as in another network. */
  readonly enter?: (command: string, args: readonly string[]) => readonly [string, readonly string[]];
  /** Prefix of each line, when the output of two runs is merged. */
  readonly label?: string;
}

/** Runs vitest and prints "N passed, N failed". Returns the exit code. */
export async function runTests(args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return summarize([await countTests(args, env)]);
}

/** Prints the slowest files, the failures and the totals, and returns the exit code. */
export function summarize(counts: readonly Counts[]): number {
  const slowest = counts
    .flatMap(({ files = [] }) => files)
    .toSorted((left, right) => right.seconds - left.seconds)
    .slice(0, SLOWEST_FILES);
  if (slowest.length > 0) console.log("\nSlowest files:");
  for (const { name, seconds } of slowest) console.log(`${seconds.toFixed(0).padStart(5)} s  ${name}`);
  const failures = counts.flatMap(({ failures: each = [] }) => each);
  // Repeated at the end of a long output.
  if (failures.length > 0) console.log(["\nFailed:", ...failures].join("\n"));
  const sum = (key: "passed" | "failed") => counts.reduce((total, entry) => total + entry[key], 0);
  console.log(`\n${String(sum("passed"))} passed, ${String(sum("failed"))} failed`);
  return sum("failed") > 0 ? 1 : 0;
}

/**
 * Runs vitest and counts from its JSON report. A test that did not run counts as a failure, as does a file that could not be
 * loaded or a run without tests.
 */
export async function countTests(
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  { enter = (command, all) => [command, all], label }: Place = {},
): Promise<Counts> {
  const folder = mkdtempSync(join(tmpdir(), "ollama-stack-tests-"));
  const file = join(folder, "report.json");
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  try {
    const [command, all] = enter(process.execPath, [vitest, "run", ...reporters, ...args]);
    const output = label === undefined ? "inherit" : "pipe";
    const start = performance.now();
    const child = spawn(command, all, { env, stdio: ["inherit", output, output] });
    if (label !== undefined) for (const stream of [child.stdout, child.stderr]) printLines(stream, label);
    const code = await new Promise<number>((resolve) =>
      child.once("close", (status) => {
        resolve(status ?? 1);
      }),
    );
    const runSeconds = (performance.now() - start) / 1000;
    if (!existsSync(file)) {
      console.log(`\n${label ?? ""}vitest ended without a report`);
      return { passed: 0, failed: 1 };
    }
    const result = report.parse(JSON.parse(readFileSync(file, "utf8")));
    const notRun = result.numPendingTests + result.numTodoTests;
    const failed = result.numFailedTests + notRun;
    // A file that fails to load has no tests in it to count, an error beside the tests neither.
    const lost = failed > 0 || (code === 0 && result.success) ? 0 : Math.max(1, result.numFailedTestSuites);
    const none = result.numPassedTests + failed + lost === 0 ? 1 : 0;
    // The report leaves out what a file's hooks take, so the time of a run with one file is that of the run.
    const alone = result.testResults.length === 1;
    const files = result.testResults.map(({ name, startTime, endTime }) => ({
      name: `${label ?? ""}${relative(process.cwd(), name)}`,
      seconds: alone ? runSeconds : (endTime - startTime) / 1000,
    }));
    const failures = failuresIn(result).map((failure) => `${label ?? ""}${failure}`);
    return { passed: result.numPassedTests, failed: failed + lost + none, files, failures };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The test files of one of vitest's projects, relative to the working directory. */
export async function listTestFiles(project: string, env: NodeJS.ProcessEnv): Promise<string[]> {
  const list = [vitest, "list", "--filesOnly", "--json", `--project=${project}`];
  const { stdout } = await promisify(execFile)(process.execPath, list, { env });
  const files = z.array(z.object({ file: z.string() })).parse(JSON.parse(stdout));
  return files.map(({ file }) => relative(process.cwd(), file));
}

/** The failed tests with their files, including those that did not run. */
function failuresIn({ testResults }: z.output<typeof report>): string[] {
  return testResults.flatMap(({ name, message, assertionResults }) => {
    const failed = assertionResults
      .filter(({ status }) => status !== "passed")
      .map(({ fullName, status, failureMessages }) => [fullName, failureMessages?.join("\n") ?? status]);
    const file = message === "" || failed.length > 0 ? [] : [["", message]];
    return [...failed, ...file].map(([test = "", why = ""]) => {
      const lines = stripVTControlCharacters(why)
        .split("\n")
        .filter((line) => !/node_modules|at new Promise/.test(line))
        .slice(0, FAILURE_LINES);
      return [`${relative(process.cwd(), name)} > ${test}`, ...lines].join("\n    ");
    });
  });
}

function printLines(stream: Readable | null, label: string): void {
  if (stream === null) return;
  createInterface({ input: stream }).on("line", (line) => {
    console.log(`${label}${line}`);
  });
}
