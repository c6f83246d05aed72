import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import type { ReleasedWorld } from "./world.ts";

/** Changes the config of the stack dev in the user's copy of the project, as an editor would; undefined removes a key. */
export function configure(world: ReleasedWorld, values: Readonly<Record<string, unknown>>): void {
  const path = join(world.folder, "home", "ollama-stack", "Pulumi.dev.yaml");
  const file = parse(readFileSync(path, "utf8")) as { config: Record<string, unknown> };
  for (const [key, value] of Object.entries(values)) file.config[`ollama-stack:${key}`] = value;
  writeFileSync(path, stringify(file));
}
