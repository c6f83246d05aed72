import { docker } from "../../engine/docker-cli.ts";

/** Which container has which name at the moment. */
type Ids = ReadonlyMap<string, string>;

export async function containerIds(names: readonly string[]): Promise<Ids> {
  const text = await docker(["container", "inspect", "--format", "{{.Id}}", ...names]);
  const ids = text.trim().split("\n");
  return new Map(names.map((name, i) => [name, ids[i] ?? ""]));
}

/** The names that another container has by now. */
export function replacedSince(before: Ids, after: Ids): string[] {
  return [...before.keys()].filter((name) => before.get(name) !== after.get(name));
}
