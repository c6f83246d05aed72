import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

const log = pathToFileURL(join(import.meta.dirname, "../../../gateway/src/observability/log.ts")).href;

/** Node arguments for a program that logs `lines`, a JavaScript expression, and exits. */
function programArguments(lines: string): string[] {
  const program = `
    import { standardOutput } from ${JSON.stringify(log)};
    const output = standardOutput();
    for (const line of ${lines}) output.write(line);
    await output.end();
    process.exit(0);
  `;
  return ["--input-type=module", "--eval", program];
}

/** The standard output of that program. */
function outputOf(lines: string): string {
  const { stdout, stderr } = spawnSync(process.execPath, programArguments(lines), { maxBuffer: 2 ** 26 });
  expect(stderr.toString()).toBe("");
  return stdout.toString();
}

test("writes lines with non-ASCII characters unchanged", () => {
  expect(outputOf(`["one\\n", "zw\u00f6lf\\n", "\u{1f999}\\n"]`)).toBe("one\nzw\u00f6lf\n\u{1f999}\n");
});

test("writes many batches in order and loses none when the process exits", () => {
  const lines = Array.from({ length: 3000 }, (_, n) => `${n}${" \u20ac".repeat(n % 90)}\n`);
  expect(outputOf(`Array.from({ length: 3000 }, (_, n) => n + " \u20ac".repeat(n % 90) + "\\n")`)).toBe(
    lines.join(""),
  );
});

test("keeps a line longer than a batch in order", () => {
  expect(outputOf(`["a\\n", "b".repeat(200_000) + "\\n", "\u20ac".repeat(30_000) + "\\n", "c\\n"]`)).toBe(
    `a\n${"b".repeat(200_000)}\n${"\u20ac".repeat(30_000)}\nc\n`,
  );
});

test("exits cleanly when the reader of its output is gone", async () => {
  const child = spawn(process.execPath, programArguments(`["one\\n"]`), {
    stdio: ["ignore", "pipe", "inherit"],
  });
  child.stdout.destroy();
  expect(await once(child, "exit")).toEqual([0, null]);
});
