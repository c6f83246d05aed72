import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { cruise, type IConfiguration, type ICruiseResult } from "dependency-cruiser";

const root = join(import.meta.dirname, "..", "..");

type Graph = ReadonlyMap<string, ReadonlySet<string>>;

/** The pictures of the rooms: below which folder they are, and the other folders that are rooms of their own there. */
const pictures = [
  { title: "The gateway", below: ["gateway/src"], singleRooms: [] },
  {
    title: "The program and the commands",
    below: ["components", "scripts"],
    singleRooms: ["engine", "host", "policy", "toolchain", "gateway"],
  },
] as const;

// Reading everything, tests and packages included, would take two thirds longer.
const drawn = [...new Set(pictures.flatMap(({ below, singleRooms }) => [...below, ...singleRooms]))];

/** Which room imports which, as Mermaid graphs, read from the code. Imports that follow from others are left out. */
export async function roomGraphs(): Promise<string> {
  const rules = pathToFileURL(join(root, ".dependency-cruiser.mjs")).href;
  const { options } = ((await import(rules)) as { readonly default: IConfiguration }).default;
  const { output } = await cruise(drawn, {
    ...options,
    includeOnly: { path: drawn.map((folder) => `^${folder}/`) },
    baseDir: root,
    outputType: "json",
  });
  const { modules } = (typeof output === "string" ? JSON.parse(output) : output) as ICruiseResult;
  return pictures
    .map(({ title, below, singleRooms }) => {
      const roomOf = (path: string) => roomIn(path, below, singleRooms);
      const graph = new Map<string, Set<string>>();
      for (const { source, dependencies } of modules) {
        const from = roomOf(source);
        if (from === undefined) continue;
        const imports = graph.get(from) ?? new Set();
        graph.set(from, imports);
        for (const { resolved } of dependencies) {
          const to = roomOf(resolved);
          if (to !== undefined && to !== from) imports.add(to);
        }
      }
      return `#### ${title}\n\n${mermaid(reduced(graph))}`;
    })
    .join("\n\n");
}

function roomIn(path: string, below: readonly string[], singleRooms: readonly string[]): string | undefined {
  const folder = below.find((each) => path.startsWith(`${each}/`));
  if (folder === undefined) return singleRooms.find((each) => path.startsWith(`${each}/`));
  const room = path.slice(folder.length + 1).split("/", 1)[0] ?? "";
  return below.length === 1 ? room : `${folder}/${room}`;
}

/** Without the arrows that a longer way makes superfluous. */
function reduced(graph: Graph): Graph {
  return new Map(
    [...graph].map(([room, imports]) => {
      const others = (one: string) => [...imports].filter((each) => each !== one);
      return [room, new Set([...imports].filter((to) => !others(to).some((via) => reaches(graph, via, to))))];
    }),
  );
}

function reaches(graph: Graph, from: string, to: string, seen = new Set<string>()): boolean {
  if (seen.has(from)) return false;
  seen.add(from);
  const next = [...(graph.get(from) ?? [])];
  return next.includes(to) || next.some((each) => reaches(graph, each, to, seen));
}

function mermaid(graph: Graph): string {
  const names = [...new Set([...graph].flatMap(([room, imports]) => [room, ...imports]))].toSorted();
  const id = (name: string) => `r${names.indexOf(name)}`;
  const nodes = names.map((name) => `    ${id(name)}["${name}"]`);
  const arrows = names.flatMap((name) =>
    [...(graph.get(name) ?? [])].toSorted().map((to) => `    ${id(name)} --> ${id(to)}`),
  );
  return ["```mermaid", "flowchart TD", ...nodes, ...arrows, "```"].join("\n");
}
