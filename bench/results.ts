import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { SetupError } from "../host/exec.ts";
import { markdownTable } from "../host/markdown-table.ts";
import { machine } from "./machine.ts";

const RESULTS = join(import.meta.dirname, "RESULTS.md");

/** Prints a benchmark's results and, if `write`, replaces its section of RESULTS.md or of another file. */
export async function publish(name: string, results: string, write: boolean, path = RESULTS): Promise<void> {
  const date = new Date().toISOString().slice(0, 10);
  const text = [`- ${date}`, ...machine().map((line) => `- ${line}`), results].join("\n");
  console.log(text);
  if (!write) return;
  const begin = `<!-- ${name}: written by npm run bench -- ${name} --write -->`;
  const end = `<!-- end of ${name} -->`;
  const before = readFileSync(path, "utf8");
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if (from === -1 || to < from) throw new SetupError(`${path} lacks "${begin}" followed by "${end}"`);
  const after = `${before.slice(0, from)}${begin}\n\n${text}\n\n${before.slice(to)}`;
  writeFileSync(path, await format(after, { ...(await resolveConfig(path)), parser: "markdown" }));
}

/** A Markdown table whose columns, except the first, hold numbers. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return markdownTable(head, rows, [...head.keys()].slice(1));
}
