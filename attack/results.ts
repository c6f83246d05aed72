import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { format, resolveConfig } from "prettier";
import { machine } from "../bench/machine.ts";
import { docker } from "../engine/docker-cli.ts";
import type { Stacks } from "./stacks.ts";

const path = join(import.meta.dirname, "RESULTS.md");

/** The machine and software that a campaign ran on, one line each. */
export async function environmentOf({ edge }: Stacks): Promise<string[]> {
  const engine = (await docker(["version", "--format", "{{.Server.Version}}"])).trim();
  const { project } = edge.deployment;
  const images = [project.configured("ollamaImage"), project.configured("edgeImage")].map(String);
  return [
    new Date().toISOString().slice(0, 10),
    ...machine(),
    `Docker ${engine}, images ${images.join(" and ")}, model ${edge.model}`,
  ];
}

/** Writes a report to RESULTS.md. */
export async function writeResults(text: string): Promise<void> {
  const page = `# Results\n\nResults of \`npm run attack -- --write\`. [README.md](README.md) describes the attacks.\n\n${text}\n`;
  writeFileSync(path, await format(page, { ...(await resolveConfig(path)), parser: "markdown" }));
}
