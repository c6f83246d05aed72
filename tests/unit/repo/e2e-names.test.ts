import { globSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";

// Two files run at a time on one engine, so no two may use the same host port or stack name.
const files = globSync("tests/e2e/*.ts").map((file) => ({ file, text: readFileSync(file, "utf8") }));

/** Matches that occur in more than one file, with the names of these files. */
function shared(pattern: RegExp): string[] {
  const owners = new Map<string, Set<string>>();
  for (const { file, text } of files)
    for (const [, match = ""] of text.matchAll(pattern))
      owners.set(match, (owners.get(match) ?? new Set()).add(file));
  expect(owners.size).toBeGreaterThan(15);
  return [...owners].flatMap(([match, names]) =>
    names.size > 1 ? [`${match}: ${[...names].join(", ")}`] : [],
  );
}

it.each([
  ["host port", /\b(18\d{3})\b/g],
  ["stack name", /\bstack: "([\w-]+)"/g],
])("no two end-to-end tests use the same %s", (_what, pattern) => {
  expect(shared(pattern)).toEqual([]);
});
