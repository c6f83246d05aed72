import { queryEngine } from "../../engine/docker-cli.ts";
import type { InspectedContainer } from "./container.ts";

/** The compared fields of `docker network inspect`. */
export interface InspectedNetwork {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: string;
  readonly Internal: boolean;
  readonly Attachable: boolean;
  readonly EnableIPv6: boolean;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Labels: Readonly<Record<string, string>> | null;
  /** Attached containers by id. */
  readonly Containers: Readonly<Record<string, { readonly Name: string }>> | null;
}

/** The compared fields of `docker volume inspect`. */
export interface InspectedVolume {
  readonly Name: string;
  readonly Driver: string;
  readonly Options: Readonly<Record<string, string>> | null;
  readonly Labels: Readonly<Record<string, string>> | null;
}

/** The containers with one of the ids or names; id and name may match different containers. */
export async function containers(idsAndNames: readonly string[]): Promise<InspectedContainer[]> {
  const ids = await matching(
    ["container", "ls", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}"],
    idsAndNames,
  );
  return await inspect<InspectedContainer>("container", ids);
}

export async function networks(names: readonly string[]): Promise<InspectedNetwork[]> {
  const ids = await matching(["network", "ls", "--no-trunc", "--format", "{{.ID}} {{.Name}}"], names);
  return await inspect<InspectedNetwork>("network", ids);
}

export async function volumes(names: readonly string[]): Promise<InspectedVolume[]> {
  return await inspect<InspectedVolume>(
    "volume",
    await matching(["volume", "ls", "--format", "{{.Name}}"], names),
  );
}

/** The first word of each line that has one of the words. */
async function matching(command: readonly string[], words: readonly string[]): Promise<string[]> {
  const filter = new Set(words);
  const lines = (await queryEngine(command)).split("\n").map((line) => line.split(" "));
  return lines.filter((line) => line.some((word) => filter.has(word))).map(([first = ""]) => first);
}

async function inspect<T>(kind: string, names: readonly string[]): Promise<T[]> {
  if (names.length === 0) return [];
  return JSON.parse(await queryEngine([kind, "inspect", ...names])) as T[];
}
