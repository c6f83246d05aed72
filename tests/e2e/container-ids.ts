import { docker } from "../../engine/docker-cli.ts";

/** Current container IDs by name. */
type Ids = ReadonlyMap<string, string>;

export async function containerIds(names: readonly string[]): Promise<Ids> {
  const text = await docker(["container", "inspect", "--format", "{{.Id}}", ...names]);
  const ids = text.trim().split("\n");
  return new Map(names.map((name, i) => [name, ids[i] ?? ""]));
}

/** Names whose containers have been replaced. */
export function replacedSince(before: Ids, after: Ids): string[] {
  return [...before.keys()].filter((name) => before.get(name) !== after.get(name));
}
