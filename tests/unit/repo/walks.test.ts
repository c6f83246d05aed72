import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const walks = (readFileSync("docs/architecture.md", "utf8").split("\n## Three walks\n")[1] ?? "")
  .split("\n### ")
  .slice(1)
  .map((walk) => ({
    title: walk.split("\n", 1)[0] ?? "",
    steps: [...walk.matchAll(/^\d+\. (Back: )?`([^`]+)`/gm)].map(([, back, path = ""]) => ({ back, path })),
  }));

const maxSteps = [20, 6, 22];

/** The files that a file imports. */
function importsOf(path: string): string[] {
  const text = readFileSync(path, "utf8");
  return [...text.matchAll(/(?:from |import |import\()"(\.[^"]+)"/g)].map(([, to = ""]) =>
    join(dirname(path), to),
  );
}

/** The room that contains a file. */
function roomOf(path: string): string {
  return /^(gateway\/src\/[^/]+|(?:components|scripts)\/[^/]+|[^/]+)/.exec(path)?.[0] ?? "";
}

describe("the walks through the code in docs/architecture.md", () => {
  it("are three, each of at least five steps", () => {
    expect(walks).toHaveLength(maxSteps.length);
    for (const { steps } of walks) expect(steps.length).toBeGreaterThan(4);
  });

  it.each(walks.map((walk, index) => ({ ...walk, maxFiles: maxSteps[index] ?? 0 })))(
    "$title: has at most $maxFiles files, each imported by an earlier one, and enters no room twice except on the way back",
    ({ steps, maxFiles }) => {
      expect(steps.length).toBeLessThanOrEqual(maxFiles);
      expect(steps.filter(({ path }) => !existsSync(path))).toEqual([]);
      const imported = new Set<string>();
      const notImported = steps.filter(({ path }, index) => {
        const isImported = index === 0 || imported.has(path);
        for (const each of importsOf(path)) imported.add(each);
        return !isImported;
      });
      expect(
        notImported.map(({ path }) => path).filter((path) => !path.startsWith("scripts/commands/")),
      ).toEqual([]);
      const rooms = steps.filter(({ back }) => back === undefined).map(({ path }) => roomOf(path));
      const entered = rooms.filter((room, index) => room !== rooms[index - 1]);
      expect(entered.filter((room, index) => entered.indexOf(room) !== index)).toEqual([]);
    },
  );
});
