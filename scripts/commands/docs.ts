// npm run docs: writes the tables of README.md that are made from Pulumi.yaml and from the gateway's variables.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { parse } from "yaml";
import { z } from "zod";
import { variables } from "../../gateway/src/config/config.ts";
import { main } from "../cli/main.ts";

const root = join(import.meta.dirname, "..", "..");
export const readmePath = join(root, "README.md");

const project = z.object({
  config: z.record(
    z.string(),
    z.object({
      type: z.enum(["string", "integer", "boolean", "array", "object"]).optional(),
      items: z.object({ type: z.string() }).optional(),
      default: z.unknown(),
      description: z.string(),
    }),
  ),
});

/** The config keys that Pulumi.yaml declares. */
export function configKeys(): z.output<typeof project>["config"] {
  return project.parse(parse(readFileSync(join(root, "Pulumi.yaml"), "utf8"))).config;
}

function configTable(): string {
  const rows = Object.entries(configKeys()).map(([key, { type, items, default: value, description }]) => [
    code(key),
    typeOf(type, items),
    value === "" ? "empty" : code(typeof value === "string" ? value : JSON.stringify(value)),
    description,
  ]);
  return table(["Key", "Type", "Default", "What it is"], rows);
}

/** The CLI has no type for a list whose entries differ. */
function typeOf(type: string | undefined, items: { type: string } | undefined): string {
  if (type === undefined) return "list";
  return items === undefined ? type : `${type} of ${items.type}s`;
}

function variableTable(): string {
  const rows = Object.entries(variables).map(([name, { default: value, unit, allowed, description }]) => [
    code(name),
    value === "" ? "empty" : code(value),
    unit === undefined ? allowed : `${allowed} (${unit})`,
    description,
  ]);
  return table(["Variable", "Default", "Allowed", "What it is"], rows);
}

/** The README with its tables as they have to be. Everything else stays as it is written. */
export async function updated(readme: string): Promise<string> {
  const withConfig = replaceBetween(readme, "config keys", configTable());
  const text = replaceBetween(withConfig, "gateway variables", variableTable());
  return await format(text, { ...(await resolveConfig(readmePath)), parser: "markdown" });
}

function replaceBetween(text: string, name: string, content: string): string {
  const begin = `<!-- ${name}: made by scripts/commands/docs.ts -->`;
  const end = `<!-- end of ${name} -->`;
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from === -1 || to < from) throw new Error(`README.md lacks "${begin}" followed by "${end}"`);
  return `${text.slice(0, from + begin.length)}\n\n${content}\n\n${text.slice(to)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

function code(text: string): string {
  return `\`${text}\``;
}

if (import.meta.main) {
  await main(async () => {
    const before = readFileSync(readmePath, "utf8");
    const after = await updated(before);
    if (after === before) {
      console.log("README.md is up to date");
      return;
    }
    writeFileSync(readmePath, after);
    console.log("README.md: tables written anew");
  });
}
