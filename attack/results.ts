import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { machine } from "../bench/machine.ts";
import { docker } from "../engine/docker-cli.ts";
import type { Stacks } from "./stacks.ts";

const path = join(import.meta.dirname, "RESULTS.md");

/** What a campaign ran on, a line each. */
export async function environmentOf({ edge }: Stacks): Promise<string[]> {
  const engine = (await docker(["version", "--format", "{{.Server.Version}}"])).trim();
  const { project } = edge.place;
  const images = [project.configured("ollamaImage"), project.configured("edgeImage")].map(String);
  return [
    new Date().toISOString().slice(0, 10),
    ...machine(),
    `Docker ${engine}, images ${images.join(" and ")}, model ${edge.model}`,
  ];
}

/** Keeps a report beside this file. */
export async function writeResults(text: string): Promise<void> {
  const page = `# Results\n\nWhat \`npm run attack -- --write\` found; [README.md](README.md) says what it does.\n\n${text}\n`;
  writeFileSync(path, await format(page, { ...(await resolveConfig(path)), parser: "markdown" }));
}
