import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

// Two files are run at a time on one engine, on the host of which they must not get in each other's way.
const files = globSync("tests/e2e/*.ts").map((file) => ({ file, text: readFileSync(file, "utf8") }));

/** What several files have of what matches. */
function shared(pattern: RegExp): string[] {
  const owners = new Map<string, Set<string>>();
  for (const { file, text } of files)
    for (const [, found = ""] of text.matchAll(pattern))
      owners.set(found, (owners.get(found) ?? new Set()).add(file));
  expect(owners.size).toBeGreaterThan(15);
  return [...owners].flatMap(([found, names]) =>
    names.size > 1 ? [`${found}: ${[...names].join(", ")}`] : [],
  );
}

it.each([
  ["port of the host", /\b(18\d{3})\b/g],
  ["name of a stack", /\bstack: "([\w-]+)"/g],
])("no two end-to-end tests use the same %s", (_what, pattern) => {
  expect(shared(pattern)).toEqual([]);
});
