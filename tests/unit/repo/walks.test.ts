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

const longest = [20, 6, 22];

/** The files that a file imports. */
function importsOf(path: string): string[] {
  const text = readFileSync(path, "utf8");
  return [...text.matchAll(/(?:from |import |import\()"(\.[^"]+)"/g)].map(([, to = ""]) =>
    join(dirname(path), to),
  );
}

/** The folder that a file is in, below those that hold rooms. */
function roomOf(path: string): string {
  return /^(gateway\/src\/[^/]+|(?:components|scripts)\/[^/]+|[^/]+)/.exec(path)?.[0] ?? "";
}

describe("the walks through the code in docs/architecture.md", () => {
  it("are three", () => {
    expect(walks).toHaveLength(longest.length);
    for (const { steps } of walks) expect(steps.length).toBeGreaterThan(4);
  });

  it.each(walks.map((walk, index) => ({ ...walk, most: longest[index] ?? 0 })))(
    "$title: at most $most files, each imported by an earlier one, no room entered twice but on the way back",
    ({ steps, most }) => {
      expect(steps.length).toBeLessThanOrEqual(most);
      expect(steps.filter(({ path }) => !existsSync(path))).toEqual([]);
      const reached = new Set<string>();
      const astray = steps.filter(({ path }, index) => {
        const isReached = index === 0 || reached.has(path);
        for (const each of importsOf(path)) reached.add(each);
        return !isReached;
      });
      expect(astray.map(({ path }) => path).filter((path) => !path.startsWith("scripts/commands/"))).toEqual(
        [],
      );
      const rooms = steps.filter(({ back }) => back === undefined).map(({ path }) => roomOf(path));
      const entered = rooms.filter((room, index) => room !== rooms[index - 1]);
      expect(entered.filter((room, index) => entered.indexOf(room) !== index)).toEqual([]);
    },
  );
});
