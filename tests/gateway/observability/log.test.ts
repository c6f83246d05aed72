import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, test } from "vitest";

const log = pathToFileURL(join(import.meta.dirname, "../../../gateway/src/observability/log.ts")).href;

/** A program that logs lines, given as its text, and ends. */
function programOf(lines: string): string[] {
  const program = `
    import { standardOutput } from ${JSON.stringify(log)};
    const output = standardOutput();
    for (const line of ${lines}) output.write(line);
    await output.end();
    process.exit(0);
  `;
  return ["--input-type=module", "--eval", program];
}

/** What it writes to its standard output. */
function outputOf(lines: string): string {
  const { stdout, stderr } = spawnSync(process.execPath, programOf(lines), { maxBuffer: 2 ** 26 });
  expect(stderr.toString()).toBe("");
  return stdout.toString();
}

test("lines of any characters are written as they are", () => {
  expect(outputOf(`["one\\n", "zw\u00f6lf\\n", "\u{1f999}\\n"]`)).toBe("one\nzw\u00f6lf\n\u{1f999}\n");
});

test("many batches are written in order, and none is lost when the process ends", () => {
  const lines = Array.from({ length: 3000 }, (_, n) => `${n}${" \u20ac".repeat(n % 90)}\n`);
  expect(outputOf(`Array.from({ length: 3000 }, (_, n) => n + " \u20ac".repeat(n % 90) + "\\n")`)).toBe(
    lines.join(""),
  );
});

test("a line longer than a batch stays between its neighbours", () => {
  expect(outputOf(`["a\\n", "b".repeat(200_000) + "\\n", "\u20ac".repeat(30_000) + "\\n", "c\\n"]`)).toBe(
    `a\n${"b".repeat(200_000)}\n${"\u20ac".repeat(30_000)}\nc\n`,
  );
});

test("a reader that is gone does not keep the process from ending in good order", async () => {
  const child = spawn(process.execPath, programOf(`["one\\n"]`), { stdio: ["ignore", "pipe", "inherit"] });
  child.stdout.destroy();
  expect(await once(child, "exit")).toEqual([0, null]);
});
